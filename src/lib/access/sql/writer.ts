import type {Knex} from 'knex'
import {normalizeName} from '../../packaging/names.js'
import {NotFound} from '../../errors.js'
import type {Database} from '../../sql/database.js'
import type {Dialect} from '../../sql/dialect.js'
import {
  AlreadyExists,
  type AccessWriter,
  type Account,
  type AclEntry,
  type LoadOptions,
  type LoadReport,
  type Permission,
  type Principal,
} from '../access.js'
import {checkGroupName, checkUsername, findSpecialGroup, quote, specialGroups} from '../names.js'
import {loadEntries} from './load/load.js'
import {keyvals} from './tables.js'

/** Marks, while there is an administrator, that there was one. */
export async function rememberAdmin(knex: Knex): Promise<void> {
  if (!(await isRemembered(knex))) await markAdmin(knex)
}

/** Whether there is nothing to mark: it is marked, or there is no administrator. */
export const isRemembered = async (knex: Knex): Promise<boolean> =>
  (await isMarked(knex)) || !(await hasAdmin(knex))

export const hasAdmin = async (knex: Knex): Promise<boolean> =>
  (await knex('pypicloud_users').where({admin: true}).first('username')) !== undefined

export const markAdmin = async (knex: Knex): Promise<void> => {
  await knex('pypicloud_keyvals').insert({key: keyvals.hadAdmin, value: 'true'}).onConflict('key').ignore()
}

/** With `forUpdate` nobody else sets the mark until the transaction ends. */
async function isMarked(knex: Knex, {forUpdate = false} = {}): Promise<boolean> {
  const mark = knex('pypicloud_keyvals').where({key: keyvals.hadAdmin})
  return (await (forUpdate ? mark.forUpdate() : mark).first('key')) !== undefined
}

/** On SQLite nobody enforces the foreign keys: pypicloud leaves such rows behind, and a new user would inherit them. */
export async function deleteTraces(trx: Knex, dialect: Dialect, principal: Principal): Promise<void> {
  const deleteFrom = (table: string, column: string, name: string) =>
    trx(table)
      .whereRaw(...dialect.is(column, name))
      .delete()
  if ('user' in principal) {
    await deleteFrom('pypicloud_user_permissions', 'username', principal.user)
    await deleteFrom('pypicloud_user_groups', 'username', principal.user)
  } else {
    await deleteFrom('pypicloud_group_permissions', 'groupname', principal.group)
    await deleteFrom('pypicloud_user_groups', 'group', principal.group)
  }
}

/** Servers enforce the foreign keys: a rule for everybody needs a group to refer to. It is never listed. */
export async function addSpecialGroups(
  trx: Knex,
  dialect: Dialect,
  groups: readonly string[],
): Promise<void> {
  if (dialect.name === 'sqlite' || groups.length === 0) return
  await trx('pypicloud_groups')
    .insert(groups.map(name => ({name})))
    .onConflict('name')
    .ignore()
}

export class SqlAccessWriter implements AccessWriter {
  readonly #dialect: Dialect

  constructor(private readonly database: Database) {
    this.#dialect = database.dialect
  }

  async addAccount(account: Required<Account>): Promise<void> {
    checkUsername(account.username)
    await this.database.transaction(trx => this.#insertAccount(trx, account))
  }

  async claimFirstAdmin(username: string, passwordHash: string): Promise<boolean> {
    checkUsername(username)
    return this.database.transaction(async trx => {
      if (!(await needsAdmin(trx, {forUpdate: true}))) return false
      await this.#insertAccount(trx, {username, passwordHash, admin: true, pending: false})
      return true
    })
  }

  needsAdmin(): Promise<boolean> {
    return needsAdmin(this.database.knex)
  }

  async approve(username: string): Promise<void> {
    await this.#updateUser(username, {pending: false})
  }

  async deleteUser(username: string): Promise<void> {
    await this.database.transaction(async trx => {
      await rememberAdmin(trx)
      await deleteTraces(trx, this.#dialect, {user: username})
      await this.#user(trx, username).delete()
    })
  }

  async setPasswordHash(username: string, passwordHash: string, ifCurrent?: string): Promise<boolean> {
    return this.database.transaction(async trx => {
      const query = this.#user(trx, username)
      if (ifCurrent !== undefined) void query.whereRaw(...this.#dialect.is('password', ifCurrent))
      return (await query.update({password: passwordHash})) > 0
    })
  }

  async setAdmin(username: string, admin: boolean): Promise<void> {
    await this.#updateUser(username, {admin})
  }

  async #updateUser(username: string, change: {pending: boolean} | {admin: boolean}): Promise<void> {
    await this.database.transaction(async trx => {
      await rememberAdmin(trx) // before the last one goes
      await this.#user(trx, username).update(change)
      await rememberAdmin(trx) // after the first one came
    })
  }

  async listPending(): Promise<string[]> {
    return (await this.database
      .knex('pypicloud_users')
      .where({pending: true})
      .orderByRaw(this.#dialect.exact('username'))
      .pluck('username')) as string[]
  }

  async createGroup(group: string): Promise<void> {
    checkGroupName(group)
    await this.database.transaction(async trx => {
      if (await exists(this.#group(trx, group))) {
        throw new AlreadyExists(`a group ${quote(group)} exists already`)
      }
      await deleteTraces(trx, this.#dialect, {group})
      await trx('pypicloud_groups').insert({name: group})
    })
  }

  async deleteGroup(group: string): Promise<void> {
    if (findSpecialGroup(group)) return // their rules belong to no group
    await this.database.transaction(async trx => {
      if (!(await exists(this.#group(trx, group)))) return
      await deleteTraces(trx, this.#dialect, {group})
      await this.#group(trx, group).delete()
    })
  }

  async addMember(group: string, username: string): Promise<void> {
    await this.database.transaction(async trx => {
      const known = (await exists(this.#user(trx, username))) && (await exists(this.#group(trx, group)))
      if (!known) return
      await trx('pypicloud_user_groups').insert({username, group}).onConflict(['username', 'group']).ignore()
    })
  }

  async removeMember(group: string, username: string): Promise<void> {
    await this.database.transaction(async trx => {
      await trx('pypicloud_user_groups')
        .whereRaw(...this.#dialect.is('username', username))
        .whereRaw(...this.#dialect.is('group', group))
        .delete()
    })
  }

  /**
   * Under the normalised name, where pypicloud looks for `/simple/`; other spellings that are there stay.
   * @throws {NotFound} on a server, where no rule can be for nobody.
   */
  async grant(project: string, principal: Principal, permission: Permission): Promise<void> {
    const {table, key} = ruleTable(principal)
    await this.database.transaction(async trx => {
      if (this.#dialect.name !== 'sqlite') await this.#requirePrincipal(trx, principal)
      await trx(table)
        .insert({package: normalizeName(project), ...key, read: false, write: false, [permission]: true})
        .onConflict(['package', ...Object.keys(key)])
        .merge({[permission]: true})
    })
  }

  async #requirePrincipal(trx: Knex, principal: Principal): Promise<void> {
    if ('user' in principal) {
      if (await exists(this.#user(trx, principal.user))) return
      throw new NotFound(`there is no user ${quote(principal.user)}`)
    }
    if (specialGroups.some(name => name === principal.group)) {
      await addSpecialGroups(trx, this.#dialect, [principal.group])
    } else if (!(await exists(this.#group(trx, principal.group)))) {
      throw new NotFound(`there is no group ${quote(principal.group)}`)
    }
  }

  /** From every spelling: what is revoked must not come back by another. A rule that gives nothing more goes. */
  async revoke(project: string, principal: Principal, permission: Permission): Promise<void> {
    const normalized = normalizeName(project)
    const {table, column, name} = ruleTable(principal)
    await this.database.transaction(async trx => {
      const rules = () => trx(table).whereRaw(...this.#dialect.is(column, name))
      const stored = (await rules().pluck('package')) as string[]
      for (const spelling of stored.filter(each => normalizeName(each) === normalized)) {
        const rule = () => rules().whereRaw(...this.#dialect.is('package', spelling))
        await rule().update({[permission]: false})
        await rule()
          .whereRaw('NOT coalesce(??, false)', ['read'])
          .whereRaw('NOT coalesce(??, false)', ['write'])
          .delete()
      }
    })
  }

  async setRegistration(allowed: boolean): Promise<void> {
    await this.database.transaction(async trx => {
      await trx('pypicloud_keyvals').where({key: keyvals.registration}).delete()
      if (allowed) await trx('pypicloud_keyvals').insert({key: keyvals.registration, value: 'true'})
    })
  }

  load(entries: AsyncIterable<AclEntry>, options: LoadOptions = {}): Promise<LoadReport> {
    return loadEntries(this.database, entries, options)
  }

  async #insertAccount(trx: Knex, account: Required<Account>): Promise<void> {
    const {username, passwordHash, admin, pending} = account
    if (await exists(this.#user(trx, username))) {
      throw new AlreadyExists(`a user ${quote(username)} exists already`)
    }
    await deleteTraces(trx, this.#dialect, {user: username})
    await trx('pypicloud_users').insert({username, password: passwordHash, admin, pending})
    if (admin) await markAdmin(trx)
  }

  #user(trx: Knex, username: string): Knex.QueryBuilder {
    return trx('pypicloud_users').whereRaw(...this.#dialect.is('username', username))
  }

  #group(trx: Knex, group: string): Knex.QueryBuilder {
    return trx('pypicloud_groups').whereRaw(...this.#dialect.is('name', group))
  }
}

const exists = async (rows: Knex.QueryBuilder): Promise<boolean> =>
  ((await rows.first()) as unknown) !== undefined

const needsAdmin = async (knex: Knex, options: {forUpdate?: boolean} = {}): Promise<boolean> =>
  !(await isMarked(knex, options)) && !(await hasAdmin(knex))

const ruleTable = (principal: Principal) =>
  'user' in principal
    ? {
        table: 'pypicloud_user_permissions',
        column: 'username',
        name: principal.user,
        key: {username: principal.user},
      }
    : {
        table: 'pypicloud_group_permissions',
        column: 'groupname',
        name: principal.group,
        key: {groupname: principal.group},
      }
