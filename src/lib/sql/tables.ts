import type {Knex} from 'knex'
import type {Dialect} from './dialect.js'

/** Those of `names` that there are tables of. */
export async function findTables(
  knex: Knex,
  dialect: Dialect,
  names: readonly string[],
): Promise<ReadonlySet<string>> {
  const result: unknown = await knex.raw(queries[dialect.name], [
    dialect.name === 'sqlite' ? JSON.stringify(names) : [...names],
  ])
  return new Set(dialect.rowsOf(result).map(row => String(row['name'])))
}

const queries: Readonly<Record<Dialect['name'], string>> = {
  sqlite: `SELECT name FROM sqlite_master WHERE type = 'table' AND name IN (SELECT value FROM json_each(?))`,
  postgresql: 'SELECT name FROM unnest(?::text[]) AS name WHERE to_regclass(name) IS NOT NULL',
  mysql: `SELECT table_name AS name FROM information_schema.tables
    WHERE table_schema = DATABASE() AND table_name IN (?)`,
}
