import type {OneConnection, SqlValue} from '../../../sql/database.js'
import type {Dialect} from '../../../sql/dialect.js'
import {InvalidInput} from '../../../errors.js'
import type {AclEntry} from '../../access.js'
import {fieldsOf, tokenFieldNames} from '../../api-tokens/token-fields.js'
import {maxLength, quote} from '../../names.js'

/** Rows that wait in memory for their INSERT: more of them save no time. */
const rowsPerInsert = 200

let stages = 0

const stagedTables = ['users', 'groups', 'members', 'grants', 'tokens'] as const
type StagedTable = (typeof stagedTables)[number]

const columns: Readonly<Record<StagedTable, readonly string[]>> = {
  users: ['username', 'password', 'admin', 'pending'],
  groups: ['name'],
  members: ['grp', 'username'],
  grants: ['package', 'kind', 'name', '"read"', '"write"'],
  tokens: tokenFieldNames,
}
/** By which rows are looked up. */
const keys: Readonly<Record<StagedTable, readonly string[]>> = {
  users: ['username'],
  groups: ['name'],
  members: ['username', 'grp'],
  grants: ['name', 'package'],
  tokens: ['id'],
}
/** What databases have room for beyond the length of a name. */
const longColumns: ReadonlySet<string | undefined> = new Set(['password', 'scopes', 'projects'])

const onSqlite: Readonly<Record<StagedTable, string>> = {
  users: '(username TEXT, password TEXT, admin INT, pending INT)',
  groups: '(name TEXT)',
  members: '(grp TEXT, username TEXT)',
  grants: '(package TEXT, kind TEXT, name TEXT, "read" INT, "write" INT)',
  tokens: `(${tokenFieldNames.map(name => `${name} TEXT`).join(', ')})`,
}

/** Columns as those that they are compared with, so that comparisons find them by an index. */
const likeTheirs: Readonly<Record<StagedTable, string>> = {
  users: `SELECT username, nullif(password, '') AS password, admin, pending FROM pypicloud_users`, // may be NULL
  groups: 'SELECT name FROM pypicloud_groups',
  members: 'SELECT g.name AS grp, u.username FROM pypicloud_groups g CROSS JOIN pypicloud_users u',
  grants: `SELECT p.package, u.username AS kind, u.username AS name, u.admin AS "read", u.admin AS "write"
    FROM pypicloud_user_permissions p CROSS JOIN pypicloud_users u`,
  tokens: `SELECT username AS id, username AS owner, username AS sha256, password AS name, password AS scopes,
    password AS projects, username AS created, nullif(username, '') AS expires FROM pypicloud_users`,
}

/**
 * A dump in temporary tables of one connection: they lock nothing of the database, need no memory for a large dump, and
 * go with the connection.
 */
export class Stage {
  readonly users: string
  readonly groups: string
  readonly members: string
  readonly grants: string
  readonly tokens: string
  registration: boolean | undefined
  hasTokens = false
  readonly #waiting: Readonly<Record<StagedTable, SqlValue[][]>>

  constructor(
    private readonly connection: OneConnection,
    private readonly dialect: Dialect,
  ) {
    const prefix = `${dialect.name === 'sqlite' ? schema : ''}ppc_load_${(stages += 1)}`
    this.users = `${prefix}_users`
    this.groups = `${prefix}_groups`
    this.members = `${prefix}_members`
    this.grants = `${prefix}_grants`
    this.tokens = `${prefix}_tokens`
    this.#waiting = {users: [], groups: [], members: [], grants: [], tokens: []}
  }

  async create(): Promise<void> {
    const {connection} = this
    const isSqlite = this.dialect.name === 'sqlite'
    if (isSqlite) {
      await connection.run('PRAGMA temp_store = FILE')
      await connection.run('PRAGMA temp.cache_size = -4000') // KiB
    }
    for (const table of stagedTables) {
      const definition = isSqlite ? onSqlite[table] : `AS ${likeTheirs[table]} WHERE 1 = 0`
      await connection.run(`CREATE TEMPORARY TABLE ${this[table].replace(schema, '')} ${definition}`)
    }
  }

  /** @returns what to wait for, if anything. */
  add(entry: AclEntry): Promise<void> | undefined {
    switch (entry.kind) {
      case 'registration':
        this.registration = entry.allowed
        return undefined
      case 'user':
        return this.#put('users', [entry.username, entry.passwordHash, Number(entry.admin), 0])
      case 'pending':
        return this.#put('users', [entry.username, entry.passwordHash, 0, 1])
      case 'group':
        return this.#put('groups', [entry.name])
      case 'member':
        return this.#put('members', [entry.group, entry.username])
      case 'grant': {
        const {project, principal, permissions} = entry
        const [kind, name] = 'user' in principal ? ['user', principal.user] : ['group', principal.group]
        const flags = [Number(permissions.includes('read')), Number(permissions.includes('write'))]
        return this.#put('grants', [project, kind, name, ...flags])
      }
      case 'token': {
        this.hasTokens = true
        const fields = fieldsOf(entry)
        return this.#put(
          'tokens',
          tokenFieldNames.map(name => fields[name]),
        )
      }
    }
  }

  #put(table: StagedTable, row: SqlValue[]): Promise<void> | undefined {
    if (this.dialect.name !== 'sqlite') {
      for (const [index, value] of row.entries()) {
        if (typeof value === 'string' && !longColumns.has(columns[table][index])) checkLength(value)
      }
    }
    const rows = this.#waiting[table]
    rows.push(row)
    return rows.length >= rowsPerInsert ? this.#insert(table) : undefined
  }

  async #insert(table: StagedTable): Promise<void> {
    const rows = this.#waiting[table].splice(0)
    if (rows.length > 0) {
      await this.connection.insertMany({table: this[table], columns: columns[table]}, rows)
    }
  }

  async flush(): Promise<void> {
    for (const table of stagedTables) await this.#insert(table)
  }

  /** So that rows of the database can be looked up here, which a prune does. */
  async index(): Promise<void> {
    const {connection, dialect} = this
    for (const table of stagedTables) {
      const name = this[table].replace(schema, '')
      const prefix = dialect.name === 'sqlite' ? schema : ''
      await connection.run(`CREATE INDEX ${prefix}${name}_key ON ${name} (${keys[table].join(', ')})`)
      if (dialect.name === 'postgresql') await connection.run(`ANALYZE ${name}`)
    }
  }

  async close(): Promise<void> {
    for (const table of stagedTables) await this.connection.run(`DROP TABLE IF EXISTS ${this[table]}`)
  }
}

/** @throws {InvalidInput} for what SQLite alone has room for. */
function checkLength(name: string): void {
  if (name.length > maxLength && Array.from(name).length > maxLength) {
    throw new InvalidInput(
      `the dump has the name ${quote(name)}, and the database has room for ${maxLength} characters`,
    )
  }
}

/** Of SQLite's temporary tables, so that none of the same name in the database is meant. */
const schema = 'temp.'

/** Must be closed. */
export async function openStage(connection: OneConnection, dialect: Dialect): Promise<Stage> {
  const stage = new Stage(connection, dialect)
  await stage.create()
  return stage
}
