import type {Database} from '../../sql/database.js'
import {findTables} from '../../sql/tables.js'
import {specialGroups} from '../names.js'

/** `specialGroups` for `IN (…)`. */
export const specialNames = specialGroups.map(group => `'${group}'`).join(', ')

/** pypicloud's tables, to the letter as its 1.3.12 creates them on SQLite (COMPAT §5.4). */
const tables: Readonly<Record<string, string>> = {
  pypicloud_keyvals: `CREATE TABLE pypicloud_keyvals (
	"key" VARCHAR(255) NOT NULL, 
	value TEXT, 
	PRIMARY KEY ("key")
)`,
  pypicloud_users: `CREATE TABLE pypicloud_users (
	username VARCHAR(255) NOT NULL, 
	password TEXT NOT NULL, 
	admin BOOLEAN NOT NULL, 
	pending BOOLEAN NOT NULL, 
	PRIMARY KEY (username)
)`,
  pypicloud_groups: `CREATE TABLE pypicloud_groups (
	name VARCHAR(255) NOT NULL, 
	PRIMARY KEY (name)
)`,
  pypicloud_user_groups: `CREATE TABLE pypicloud_user_groups (
	username VARCHAR(255) NOT NULL, 
	"group" VARCHAR(255) NOT NULL, 
	PRIMARY KEY (username, "group"), 
	FOREIGN KEY(username) REFERENCES pypicloud_users (username) ON DELETE CASCADE, 
	FOREIGN KEY("group") REFERENCES pypicloud_groups (name) ON DELETE CASCADE
)`,
  pypicloud_user_permissions: `CREATE TABLE pypicloud_user_permissions (
	package VARCHAR(255) NOT NULL, 
	read BOOLEAN, 
	write BOOLEAN, 
	username VARCHAR(255) NOT NULL, 
	PRIMARY KEY (package, username), 
	FOREIGN KEY(username) REFERENCES pypicloud_users (username) ON DELETE CASCADE
)`,
  pypicloud_group_permissions: `CREATE TABLE pypicloud_group_permissions (
	package VARCHAR(255) NOT NULL, 
	read BOOLEAN, 
	write BOOLEAN, 
	groupname VARCHAR(255) NOT NULL, 
	PRIMARY KEY (package, groupname), 
	FOREIGN KEY(groupname) REFERENCES pypicloud_groups (name) ON DELETE CASCADE
)`,
}

/** Rows of `pypicloud_keyvals`. pypicloud knows the first one and leaves others alone. */
export const keyvals = {
  registration: 'allow_register',
  /** Ours: this store has, or once had, an administrator (RULES 30). */
  hadAdmin: 'ppc_had_admin',
  /** Ours: differs after every change of API tokens. */
  tokens: 'ppc_tokens',
} as const

/**
 * On MySQL names tell upper from lower case, as everywhere else. Beside tables that are there already, a new one is as
 * they are: a foreign key needs the same collation on both sides.
 */
function onMysql(table: string, alone: boolean): string {
  const text = alone ? 'VARCHAR(255) COLLATE utf8mb4_bin' : 'VARCHAR(255)'
  const options = alone ? 'ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4' : 'ENGINE=InnoDB'
  return `${(tables[table] ?? '').replaceAll('VARCHAR(255)', text).replace(/\b(read|write) BOOLEAN/g, '"$1" BOOLEAN')} ${options}`
}

/** Creates those tables that are missing; two processes may do so at once. Writes nothing when none is. */
export async function createTables(database: Database): Promise<void> {
  const {knex, dialect} = database
  const names = Object.keys(tables)
  const findMissing = async (from: Database['knex']): Promise<string[]> => {
    const found = await findTables(from, dialect, names)
    return names.filter(name => !found.has(name))
  }
  if ((await findMissing(knex)).length === 0) return
  await database.transaction(async trx => {
    const missing = await findMissing(trx)
    for (const name of missing) {
      const sql = dialect.name === 'mysql' ? onMysql(name, missing.length === names.length) : tables[name]
      await trx.raw(sql ?? '')
    }
  })
}
