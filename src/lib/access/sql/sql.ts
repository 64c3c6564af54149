import type {Knex} from 'knex'
import type {Config} from '../../config/config.js'
import {sqlAccessFields} from '../../config/schema/access.js'
import {PpcError} from '../../errors.js'
import {normalizeName} from '../../packaging/names.js'
import {openDatabase, type Database, type Watched} from '../../sql/database.js'
import {poolOptions} from '../../sql/server-pool.js'
import type {Access, AccessWriter, Account, AclEntry, Grant, Principal, Rules} from '../access.js'
import {specialGroups} from '../names.js'
import {permissionsOf, RulesBuilder} from '../rules.js'
import {exportRows} from './export.js'
import {maybeNotNormalized} from './odd-names.js'
import {createTables, keyvals} from './tables.js'
import {SqlTokens} from './tokens.js'
import {isRemembered, rememberAdmin, SqlAccessWriter} from './writer.js'

const watched: Watched = {
  everyCommit: true,
  tables: {
    pypicloud_users: ['username', 'password', 'admin', 'pending'],
    pypicloud_groups: ['name'],
    pypicloud_user_groups: ['username', 'group'],
    pypicloud_user_permissions: ['package', 'username', 'read', 'write'],
    pypicloud_group_permissions: ['package', 'groupname', 'read', 'write'],
    pypicloud_keyvals: ['key', 'value'],
  },
}

/** Users, groups and rules in pypicloud's tables (COMPAT §5.4), which are created where they are missing. */
export async function openSqlAccess(config: Config): Promise<Access> {
  const fields = config.read(sqlAccessFields)
  const where = {file: config.file, key: 'auth.db.url'}
  const database = await openDatabase(fields.url, where, {watched, pool: poolOptions(fields)})
  try {
    await createTables(database)
    await noteAdmin(database)
    return new SqlAccess(database)
  } catch (error) {
    await Promise.resolve(database[Symbol.asyncDispose]()).catch(() => undefined)
    throw error
  }
}

/**
 * pypicloud, on the same database, may remove the administrator without leaving a mark. A database that can't be
 * written now is no reason not to read it.
 */
async function noteAdmin(database: Database): Promise<void> {
  if (await isRemembered(database.knex)) return
  try {
    await database.transaction(rememberAdmin)
  } catch (error) {
    if (!(error instanceof PpcError)) throw error
  }
}

/** A row of either table of permissions. */
interface PermissionRow {
  readonly package: string
  readonly read: unknown
  readonly write: unknown
  readonly name: string
}

class SqlAccess implements Access {
  readonly name: string
  readonly writer: AccessWriter
  readonly tokens: SqlTokens
  /** Spellings that are stored though not normalised, by normalised name; as of a change token. */
  #spellings: {token: string; byName: Promise<ReadonlyMap<string, readonly string[]>>} | undefined

  constructor(private readonly database: Database) {
    this.name = database.name
    this.writer = new SqlAccessWriter(database)
    this.tokens = new SqlTokens(database)
  }

  changeToken(): string | Promise<string> {
    return this.database.changeToken()
  }

  async findAccount(username: string): Promise<Account | undefined> {
    const {knex, dialect} = this.database
    const found = knex('pypicloud_users').whereRaw(...dialect.is('username', username))
    const row = (await found.first()) as
      {username: string; password: string; admin: unknown; pending: unknown} | undefined
    return (
      row && {
        username: row.username,
        admin: Boolean(row.admin),
        pending: Boolean(row.pending),
        passwordHash: row.password,
      }
    )
  }

  async listGroupsOf(username: string): Promise<string[]> {
    return (await this.database
      .knex('pypicloud_user_groups as m')
      .join('pypicloud_groups as g', 'g.name', 'm.group')
      .join('pypicloud_users as u', 'u.username', 'm.username')
      .whereRaw(...this.database.dialect.is('m.username', username))
      .whereNotIn('g.name', specialGroups)
      .orderByRaw(this.database.dialect.exact('g.name'))
      .pluck('g.name')) as string[]
  }

  async getRules(project: string): Promise<Rules> {
    const normalized = normalizeName(project)
    const spellings = [normalized, ...((await this.#getSpellings()).get(normalized) ?? [])]
    const rules = new RulesBuilder()
    for (const kind of ['user', 'group'] as const) {
      const rows = this.#selectPermissions(kind).whereRaw(
        ...this.database.dialect.isOneOf('package', spellings),
      )
      for (const row of await rows) {
        rules.add(kind, row.name, permissionsOf(row.read, row.write))
      }
    }
    return rules
  }

  #selectPermissions(kind: 'user' | 'group'): Knex.QueryBuilder<never, PermissionRow[]> {
    const column = kind === 'user' ? 'username' : 'groupname'
    return this.database
      .knex(`pypicloud_${kind}_permissions`)
      .select('package', 'read', 'write', `${column} as name`) as never
  }

  /** pypicloud stores names as they are typed. Most are normalised, and found by the primary key without this. */
  async #getSpellings(): Promise<ReadonlyMap<string, readonly string[]>> {
    const token = await this.database.changeToken()
    if (this.#spellings?.token !== token) {
      const reading = this.#readSpellings()
      this.#spellings = {token, byName: reading}
      reading.catch(() => {
        if (this.#spellings?.byName === reading) this.#spellings = undefined
      })
    }
    return this.#spellings.byName
  }

  async #readSpellings(): Promise<ReadonlyMap<string, readonly string[]>> {
    const names = await this.#listStoredProjects(query =>
      query.whereRaw(maybeNotNormalized[this.database.dialect.name]('package')),
    )
    const byName = new Map<string, string[]>()
    for (const name of names) {
      const normalized = normalizeName(name)
      if (normalized === name) continue
      const others = byName.get(normalized)
      if (others) others.push(name)
      else byName.set(normalized, [name])
    }
    return byName
  }

  async listRuledProjects(): Promise<ReadonlySet<string>> {
    const names = await this.#listStoredProjects(query => query)
    return new Set(Array.from(names, normalizeName))
  }

  /** As they are spelt. */
  async #listStoredProjects(only: (query: Knex.QueryBuilder) => Knex.QueryBuilder): Promise<Set<string>> {
    const names = new Set<string>()
    for (const table of ['pypicloud_user_permissions', 'pypicloud_group_permissions']) {
      const {knex, dialect} = this.database
      const query = only(knex(table).distinct(knex.raw(`${dialect.exact('package')} AS package`)))
      for (const row of (await query) as {package: string}[]) names.add(row.package)
    }
    return names
  }

  async listGrants(principal: Principal): Promise<Grant[]> {
    const {dialect} = this.database
    const query =
      'user' in principal
        ? this.#selectPermissions('user').whereRaw(...dialect.is('username', principal.user))
        : this.#selectPermissions('group').whereRaw(...dialect.is('groupname', principal.group))
    return (await query.orderByRaw(dialect.exact('package'))).map(row => ({
      project: row.package,
      principal,
      permissions: permissionsOf(row.read, row.write),
    }))
  }

  async listUsers(): Promise<{username: string; admin: boolean}[]> {
    const {knex, dialect} = this.database
    const rows: {username: string; admin: unknown}[] = await knex('pypicloud_users')
      .where({pending: false})
      .select('username', 'admin')
      .orderByRaw(dialect.exact('username'))
    return rows.map(({username, admin}) => ({username, admin: Boolean(admin)}))
  }

  async listGroups(): Promise<string[]> {
    return (await this.database
      .knex('pypicloud_groups')
      .whereNotIn('name', specialGroups)
      .orderByRaw(this.database.dialect.exact('name'))
      .pluck('name')) as string[]
  }

  async listMembers(group: string): Promise<string[]> {
    return (await this.database
      .knex('pypicloud_user_groups as m')
      .join('pypicloud_users as u', 'u.username', 'm.username')
      .whereRaw(...this.database.dialect.is('m.group', group))
      .orderByRaw(this.database.dialect.exact('m.username'))
      .pluck('m.username')) as string[]
  }

  async allowsRegistration(): Promise<boolean> {
    const row: unknown = await this.database
      .knex('pypicloud_keyvals')
      .where({key: keyvals.registration, value: 'true'})
      .first()
    return row !== undefined
  }

  exportEntries(): AsyncIterable<AclEntry> {
    return exportRows(this.database)
  }

  async listOrphans(): Promise<Grant[]> {
    const {dialect} = this.database
    const users = await this.#selectPermissions('user')
      .whereRaw(isNobody('pypicloud_users.username = pypicloud_user_permissions.username'))
      .orderByRaw(`${dialect.exact('package')}, ${dialect.exact('username')}`)
    const groups = await this.#selectPermissions('group')
      .whereRaw(isNobody('pypicloud_groups.name = pypicloud_group_permissions.groupname'))
      .whereNotIn('groupname', specialGroups)
      .orderByRaw(`${dialect.exact('package')}, ${dialect.exact('groupname')}`)
    const toGrant = (row: PermissionRow, principal: Principal): Grant => ({
      project: row.package,
      principal,
      permissions: permissionsOf(row.read, row.write),
    })
    return [
      ...users.map(row => toGrant(row, {user: row.name})),
      ...groups.map(row => toGrant(row, {group: row.name})),
    ]
  }

  async check(): Promise<void> {
    await this.database.check()
    await this.database.knex('pypicloud_users').select('username').first()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.database[Symbol.asyncDispose]()
  }
}

/** PostgreSQL compares each row with each other one for a NOT IN of more names than its `work_mem` holds, which takes hours. */
const isNobody = (same: string): string =>
  `NOT EXISTS (SELECT 1 FROM ${same.split('.')[0] ?? ''} WHERE ${same})`
