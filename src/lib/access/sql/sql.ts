import type {Knex} from 'knex'
import type {Config} from '../../config/config.js'
import {sqlAccessFields} from '../../config/schema/access.js'
import {PpcError} from '../../errors.js'
import {normalizeName} from '../../packaging/names.js'
import {openDatabase, type Database} from '../../sql/database.js'
import type {Access, AccessWriter, Account, AclEntry, Grant, Principal, Rules} from '../access.js'
import {specialGroups} from '../names.js'
import {permissionsOf, RulesBuilder} from '../rules.js'
import {exportRows} from './export.js'
import {createTables, keyvals} from './tables.js'
import {isRemembered, rememberAdmin, SqlAccessWriter} from './writer.js'

/** Users, groups and rules in pypicloud's tables (COMPAT §5.4), which are created where they are missing. */
export async function openSqlAccess(config: Config): Promise<Access> {
  const {url} = config.read(sqlAccessFields)
  const database = await openDatabase(url, {file: config.file, key: 'auth.db.url'})
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
  /** Spellings that are stored though not normalised, by normalised name; as of a change token. */
  #spellings: {token: string; byName: Promise<ReadonlyMap<string, readonly string[]>>} | undefined

  constructor(private readonly database: Database) {
    this.name = database.name
    this.writer = new SqlAccessWriter(database)
  }

  changeToken(): string {
    return this.database.changeToken()
  }

  async findAccount(username: string): Promise<Account | undefined> {
    const row = (await this.database.knex('pypicloud_users').where({username}).first()) as
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
      .where('m.username', username)
      .whereNotIn('g.name', specialGroups)
      .orderBy('g.name')
      .pluck('g.name')) as string[]
  }

  async getRules(project: string): Promise<Rules> {
    const normalized = normalizeName(project)
    const spellings = [normalized, ...((await this.#getSpellings()).get(normalized) ?? [])]
    const rules = new RulesBuilder()
    for (const kind of ['user', 'group'] as const) {
      for (const row of await this.#selectPermissions(kind).whereIn('package', spellings)) {
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
  #getSpellings(): Promise<ReadonlyMap<string, readonly string[]>> {
    const token = this.database.changeToken()
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
    const names = await this.#listStoredProjects(
      query =>
        query
          .whereRaw(`package <> lower(package) OR package LIKE '%.%' OR package LIKE '%\\_%' ESCAPE '\\'`)
          .orWhereRaw(`package LIKE '%--%'`)
          .orWhereRaw(`length(package) <> length(cast(package AS blob))`), // lower() knows ASCII only
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
      const query = only(this.database.knex(table).distinct('package'))
      for (const row of (await query) as {package: string}[]) names.add(row.package)
    }
    return names
  }

  async listGrants(principal: Principal): Promise<Grant[]> {
    const query =
      'user' in principal
        ? this.#selectPermissions('user').where('username', principal.user)
        : this.#selectPermissions('group').where('groupname', principal.group)
    return (await query.orderBy('package')).map(row => ({
      project: row.package,
      principal,
      permissions: permissionsOf(row.read, row.write),
    }))
  }

  async listUsers(): Promise<{username: string; admin: boolean}[]> {
    const rows = (await this.database
      .knex('pypicloud_users')
      .where({pending: false})
      .select('username', 'admin')
      .orderBy('username')) as {username: string; admin: unknown}[]
    return rows.map(({username, admin}) => ({username, admin: Boolean(admin)}))
  }

  async listGroups(): Promise<string[]> {
    return (await this.database
      .knex('pypicloud_groups')
      .whereNotIn('name', specialGroups)
      .orderBy('name')
      .pluck('name')) as string[]
  }

  async listMembers(group: string): Promise<string[]> {
    return (await this.database
      .knex('pypicloud_user_groups as m')
      .join('pypicloud_users as u', 'u.username', 'm.username')
      .where('m.group', group)
      .orderBy('m.username')
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
    const {knex} = this.database
    const users = await this.#selectPermissions('user')
      .whereNotIn('username', knex('pypicloud_users').select('username'))
      .orderBy(['package', 'username'])
    const groups = await this.#selectPermissions('group')
      .whereNotIn('groupname', knex('pypicloud_groups').select('name'))
      .whereNotIn('groupname', specialGroups)
      .orderBy(['package', 'groupname'])
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
