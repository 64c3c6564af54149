import {PpcError} from '../../errors.js'
import type {Database} from '../../sql/database.js'

/**
 * Up to pypicloud 1.2.0 a summary had 255 characters at most, and up to 1.2.1 it had an index, which refuses long ones. On
 * MySQL the character set of old databases refuses emoji. Servers hold uploads to that, SQLite does not. What pypicloud 1.3
 * creates stays as it is, and so does a table that we may not alter: then the server says what it can't hold.
 */
export async function updateSummary(database: Database): Promise<void> {
  const {name} = database.dialect
  if (name === 'sqlite') return
  try {
    await (name === 'mysql' ? updateMysql(database) : updatePostgresql(database))
  } catch (error) {
    if (!(error instanceof PpcError)) throw error
  }
}

async function updatePostgresql({knex, dialect}: Database): Promise<void> {
  const [summary] = dialect.rowsOf(
    await knex.raw(
      `SELECT format_type(atttypid, NULL) AS type, to_regclass('ix_packages_summary') IS NOT NULL AS indexed
        FROM pg_attribute WHERE attrelid = 'packages'::regclass AND attname = 'summary'`,
    ),
  )
  if (summary?.['indexed']) await knex.raw('DROP INDEX IF EXISTS ix_packages_summary')
  if (summary?.['type'] === 'character varying') {
    await knex.raw('ALTER TABLE packages ALTER COLUMN summary TYPE TEXT')
  }
}

async function updateMysql({knex, dialect}: Database): Promise<void> {
  const [summary] = dialect.rowsOf(
    await knex.raw(
      `SELECT c.data_type AS type, c.character_set_name AS characters, (SELECT COUNT(*)
          FROM information_schema.statistics i WHERE i.table_schema = c.table_schema
            AND i.table_name = c.table_name AND i.index_name = 'ix_packages_summary') AS indexed
        FROM information_schema.columns c
        WHERE c.table_schema = DATABASE() AND c.table_name = 'packages' AND c.column_name = 'summary'`,
    ),
  )
  if (!summary) return
  if (summary['indexed']) await knex.raw('ALTER TABLE packages DROP INDEX ix_packages_summary')
  if (summary['type'] === 'varchar' || summary['characters'] !== 'utf8mb4') {
    await knex.raw('ALTER TABLE packages MODIFY summary TEXT CHARACTER SET utf8mb4')
  }
}
