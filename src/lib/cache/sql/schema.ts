import type {Knex} from 'knex'
import {StorageFailed} from '../../errors.js'
import type {Database} from '../../sql/database.js'

// pypicloud's table, in its own words (COMPAT §4.1), created only where there is none: an old one stays as it is.
const packagesTable = [
  `CREATE TABLE IF NOT EXISTS packages (
\tfilename VARCHAR(255) NOT NULL, 
\tname VARCHAR(255) NOT NULL, 
\tversion VARCHAR(1000) NOT NULL, 
\tlast_modified DATETIME NOT NULL, 
\tsummary TEXT, 
\tdata TEXT NOT NULL, 
\tPRIMARY KEY (filename)
)`,
  'CREATE INDEX IF NOT EXISTS ix_packages_last_modified ON packages (last_modified)',
  'CREATE INDEX IF NOT EXISTS ix_packages_name ON packages (name)',
]

// Ours, which pypicloud never touches. Times are seconds since 1970 by the database's clock.
const locksTable = `CREATE TABLE IF NOT EXISTS ppc_toolkit_locks (
  name VARCHAR(255) NOT NULL PRIMARY KEY, token VARCHAR(64) NOT NULL, owner TEXT NOT NULL,
  acquired_at DOUBLE NOT NULL, expires_at DOUBLE NOT NULL)`
const stateTable = `CREATE TABLE IF NOT EXISTS ppc_toolkit_state (
  key VARCHAR(255) NOT NULL PRIMARY KEY, value TEXT NOT NULL, had_files INTEGER NOT NULL)`

/** Creates the tables that are missing. A database that has them, or pypicloud's at least but read-only, is not touched. */
export async function createTables(database: Database): Promise<void> {
  const missing = await missingTables(database.knex)
  if (missing.size === 0) return
  try {
    await database.transaction(async transaction => {
      if (missing.has('packages')) for (const sql of packagesTable) await transaction.raw(sql)
      await transaction.raw(locksTable)
      await transaction.raw(stateTable)
    })
  } catch (error) {
    if (!(error instanceof StorageFailed) || missing.has('packages')) throw error
  }
}

async function missingTables(knex: Knex): Promise<Set<string>> {
  const names = ['packages', 'ppc_toolkit_locks', 'ppc_toolkit_state']
  const present = await knex<{name: string}>('sqlite_master').where('type', 'table').whereIn('name', names)
  return new Set(names.filter(name => !present.some(table => table.name === name)))
}

/** pypicloud's rebuild drops and creates `packages`, and may leave it empty or half full. Then it is younger than ours. */
export async function packagesWereDropped(knex: Knex): Promise<boolean> {
  const tables = await knex<{name: string; rowid: number}>('sqlite_master')
    .where('type', 'table')
    .whereIn('name', ['packages', 'ppc_toolkit_state'])
    .orderBy('rowid') // in the order of creation, which VACUUM and dumps keep
    .select('name')
  return tables[0]?.name !== 'packages'
}

/** Makes our table the younger one again, and forgets what it held about the dropped one. */
export async function recreateState(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE IF EXISTS ppc_toolkit_state')
  await knex.raw(stateTable)
}
