import type {Knex} from 'knex'
import type {Database} from '../../sql/database.js'
import type {Dialect} from '../../sql/dialect.js'
import {findTables} from '../../sql/tables.js'

/** Ours, made with the first token. pypicloud knows nothing of it and leaves it alone. */
export const tokenTable = 'ppc_tokens'

/** @param name the type of `pypicloud_users.username`, which both sides of a comparison need on MySQL */
const definition = (name: string): string => `CREATE TABLE ${tokenTable} (
  id ${name} NOT NULL,
  owner ${name} NOT NULL,
  sha256 VARCHAR(64) NOT NULL,
  name TEXT NOT NULL,
  scopes TEXT NOT NULL,
  projects TEXT NOT NULL,
  created VARCHAR(32) NOT NULL,
  expires VARCHAR(32),
  last_used VARCHAR(32),
  PRIMARY KEY (id),
  FOREIGN KEY (owner) REFERENCES pypicloud_users (username) ON DELETE CASCADE
)`

/**
 * On SQLite, pypicloud does not enforce foreign keys. A user that it deletes must not leave tokens to the next one of
 * that name.
 */
const deleteWithOwner = `CREATE TRIGGER ${tokenTable}_of_deleted_user AFTER DELETE ON pypicloud_users
BEGIN DELETE FROM ${tokenTable} WHERE owner = OLD.username; END`

export const hasTokenTable = async (knex: Knex, dialect: Dialect): Promise<boolean> =>
  (await findTables(knex, dialect, [tokenTable])).size > 0

/** Unless it is there; two processes may do so at once. */
export async function createTokenTable(database: Database): Promise<void> {
  const {knex, dialect} = database
  if (await hasTokenTable(knex, dialect)) return
  await database.transaction(async trx => {
    if (await hasTokenTable(trx, dialect)) return
    await trx.raw(await definitionOn(trx, dialect))
    if (dialect.name === 'sqlite') await trx.raw(deleteWithOwner)
  })
}

/** On MySQL both sides of a foreign key need the same collation, and that of pypicloud's tables may be any. */
async function definitionOn(knex: Knex, dialect: Dialect): Promise<string> {
  if (dialect.name !== 'mysql') return definition('VARCHAR(255)')
  const result: unknown = await knex.raw(
    `SELECT character_set_name AS charset, collation_name AS collation FROM information_schema.columns
      WHERE table_schema = DATABASE() AND table_name = 'pypicloud_users' AND column_name = 'username'`,
  )
  const {charset, collation} = dialect.rowsOf(result)[0] ?? {}
  const name = `VARCHAR(255) CHARACTER SET ${String(charset)} COLLATE ${String(collation)}`
  return `${definition(name)} ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4`
}
