import {StorageFailed} from '../../errors.js'
import type {Database} from '../../sql/database.js'
import type {Dialect} from '../../sql/dialect.js'
import {findTables} from '../../sql/tables.js'
import {updateSummary} from './old-schema.js'

const sqliteIndexes = [
  'CREATE INDEX IF NOT EXISTS ix_packages_last_modified ON packages (last_modified)',
  'CREATE INDEX IF NOT EXISTS ix_packages_name ON packages (name)',
]

/**
 * pypicloud's table, in its own words (COMPAT §4.1), created only where there is none. On MySQL the names tell upper from
 * lower case, as everywhere else; and whatever the database's character set is, a summary may be of any characters.
 */
const packagesTable: Readonly<Record<Dialect['name'], readonly string[]>> = {
  sqlite: [
    `CREATE TABLE IF NOT EXISTS packages (
\tfilename VARCHAR(255) NOT NULL, 
\tname VARCHAR(255) NOT NULL, 
\tversion VARCHAR(1000) NOT NULL, 
\tlast_modified DATETIME NOT NULL, 
\tsummary TEXT, 
\tdata TEXT NOT NULL, 
\tPRIMARY KEY (filename)
)`,
    ...sqliteIndexes,
  ],
  postgresql: [
    `CREATE TABLE IF NOT EXISTS packages (
      filename VARCHAR(255) NOT NULL, name VARCHAR(255) NOT NULL, version VARCHAR(1000) NOT NULL,
      last_modified TIMESTAMP WITHOUT TIME ZONE NOT NULL, summary TEXT, data TEXT NOT NULL, PRIMARY KEY (filename))`,
    ...sqliteIndexes,
  ],
  mysql: [
    `CREATE TABLE IF NOT EXISTS packages (
      filename VARCHAR(255) COLLATE utf8mb4_bin NOT NULL, name VARCHAR(255) COLLATE utf8mb4_bin NOT NULL,
      version VARCHAR(1000) NOT NULL, last_modified DATETIME NOT NULL, summary TEXT, data TEXT NOT NULL,
      PRIMARY KEY (filename),
      KEY ix_packages_last_modified (last_modified), KEY ix_packages_name (name)
    ) ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4`,
  ],
}

// Ours, which pypicloud never touches. Times are seconds since 1970 by the database's clock.
const locksTable = `CREATE TABLE IF NOT EXISTS ppc_toolkit_locks (
  name VARCHAR(255) NOT NULL PRIMARY KEY, token VARCHAR(64) NOT NULL, owner TEXT NOT NULL,
  acquired_at DOUBLE PRECISION NOT NULL, expires_at DOUBLE PRECISION NOT NULL)`
export const sqliteStateTable = `CREATE TABLE IF NOT EXISTS ppc_toolkit_state (
  "key" VARCHAR(255) NOT NULL PRIMARY KEY, value TEXT NOT NULL, had_files INTEGER NOT NULL)`
/** `packages_id` tells of which table `packages` a fact is: see state.ts. */
const serverStateTable = `CREATE TABLE IF NOT EXISTS ppc_toolkit_state (
  "key" VARCHAR(255) NOT NULL PRIMARY KEY, value TEXT NOT NULL, had_files INTEGER NOT NULL,
  packages_id VARCHAR(255) NOT NULL)`
const anyCharacters = 'ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin'

function statements({name}: Dialect, table: Table): readonly string[] {
  if (table === 'packages') return packagesTable[name]
  const ours = table === 'ppc_toolkit_locks' ? locksTable : serverStateTable
  if (name === 'mysql') return [`${ours} ${anyCharacters}`]
  return [name === 'sqlite' && table === 'ppc_toolkit_state' ? sqliteStateTable : ours]
}

const tables = ['packages', 'ppc_toolkit_locks', 'ppc_toolkit_state'] as const
type Table = (typeof tables)[number]

/** Creates the tables that are missing. A database that has them, or pypicloud's at least but read-only, is not touched. */
export async function createTables(database: Database): Promise<void> {
  const {knex, dialect} = database
  const present = await findTables(knex, dialect, tables)
  const missing = tables.filter(table => !present.has(table))
  if (missing.length > 0) {
    try {
      await database.transaction(async transaction => {
        for (const table of missing) {
          for (const sql of statements(dialect, table)) await transaction.raw(sql)
        }
      })
    } catch (error) {
      if (!(error instanceof StorageFailed) || missing.includes('packages')) throw error
    }
  }
  if (present.has('packages')) await updateSummary(database)
}
