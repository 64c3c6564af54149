import type {Knex} from 'knex'
import {normalizeName} from '../../packaging/names.js'
import type {Database} from '../../sql/database.js'
import {
  AlreadyExists,
  type AccessWriter,
  type Account,
  type AclEntry,
  type LoadReport,
  type Permission,
  type Principal,
} from '../access.js'
import {checkGroupName, checkUsername, findSpecialGroup, quote} from '../names.js'
import {loadEntries} from './load.js'
import {keyvals} from './tables.js'

/** Marks, while there is an administrator, that there was one. */
export async function rememberAdmin(knex: Knex): Promise<void> {
  if (!(await isRemembered(knex))) await markAdmin(knex)
}

/** Whether there is nothing to mark: it is marked, or there is no administrator. */
export const isRemembered = async (knex: Knex): Promise<boolean> =>
  (await isMarked(knex)) || !(await hasAdmin(knex))

const hasAdmin = async (knex: Knex): Promise<boolean> =>
  (await knex('pypicloud_users').where({admin: true}).first('username')) !== undefined

export const markAdmin = async (knex: Knex): Promise<void> => {
  await knex('pypicloud_keyvals').insert({key: keyvals.hadAdmin, value: 'true'}).onConflict('key').ignore()
}

const isMarked = async (knex: Knex): Promise<boolean> =>
  (await knex('pypicloud_keyvals').where({key: keyvals.hadAdmin}).first('key')) !== undefined

/** On SQLite nobody enforces the foreign keys: pypicloud leaves such rows behind, and a new user would inherit them. */
export async function deleteTraces(knex: Knex, principal: Principal): Promise<void> {
  if ('user' in principal) {
    await knex('pypicloud_user_permissions').where({username: principal.user}).delete()
    await knex('pypicloud_user_groups').where({username: principal.user}).delete()
  } else {
    await knex('pypicloud_group_permissions').where({groupname: principal.group}).delete()
    await knex('pypicloud_user_groups').where({group: principal.group}).delete()
  }
}

export class SqlAccessWriter implements AccessWriter {
  constructor(private readonly database: Database) {}

  async addAccount(account: Required<Account>): Promise<void> {
    checkUsername(account.username)
    await this.database.transaction(trx => insertAccount(trx, account))
  }

  async claimFirstAdmin(username: string, passwordHash: string): Promise<boolean> {
    checkUsername(username)
    return this.database.transaction(async trx => {
      if (!(await needsAdmin(trx))) return false
      await insertAccount(trx, {username, passwordHash, admin: true, pending: false})
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
      await deleteTraces(trx, {user: username})
      await trx('pypicloud_users').where({username}).delete()
    })
  }

  async setPasswordHash(username: string, passwordHash: string, ifCurrent?: string): Promise<boolean> {
    return this.database.transaction(async trx => {
      const query = trx('pypicloud_users').where({username})
      if (ifCurrent !== undefined) void query.andWhere({password: ifCurrent})
      return (await query.update({password: passwordHash})) > 0
    })
  }

  async setAdmin(username: string, admin: boolean): Promise<void> {
    await this.#updateUser(username, {admin})
  }

  async #updateUser(username: string, change: {pending: boolean} | {admin: boolean}): Promise<void> {
    await this.database.transaction(async trx => {
      await rememberAdmin(trx) // before the last one goes
      await trx('pypicloud_users').where({username}).update(change)
      await rememberAdmin(trx) // after the first one came
    })
  }

  async listPending(): Promise<string[]> {
    return (await this.database
      .knex('pypicloud_users')
      .where({pending: true})
      .orderBy('username')
      .pluck('username')) as string[]
  }

  async createGroup(group: string): Promise<void> {
    checkGroupName(group)
    await this.database.transaction(async trx => {
      if ((await trx('pypicloud_groups').where({name: group}).first('name')) !== undefined) {
        throw new AlreadyExists(`a group ${quote(group)} exists already`)
      }
      await deleteTraces(trx, {group})
      await trx('pypicloud_groups').insert({name: group})
    })
  }

  async deleteGroup(group: string): Promise<void> {
    if (findSpecialGroup(group)) return // their rules belong to no group
    await this.database.transaction(async trx => {
      const exists = (await trx('pypicloud_groups').where({name: group}).first('name')) !== undefined
      if (!exists) return
      await deleteTraces(trx, {group})
      await trx('pypicloud_groups').where({name: group}).delete()
    })
  }

  async addMember(group: string, username: string): Promise<void> {
    await this.database.transaction(async trx => {
      const user: unknown = await trx('pypicloud_users').where({username}).first('username')
      const found: unknown = await trx('pypicloud_groups').where({name: group}).first('name')
      if (user === undefined || found === undefined) return
      await trx('pypicloud_user_groups').insert({username, group}).onConflict(['username', 'group']).ignore()
    })
  }

  async removeMember(group: string, username: string): Promise<void> {
    await this.database.transaction(async trx => {
      await trx('pypicloud_user_groups').where({username, group}).delete()
    })
  }

  /** Under the normalised name, where pypicloud looks for `/simple/`; other spellings that are there stay. */
  async grant(project: string, principal: Principal, permission: Permission): Promise<void> {
    const {table, key} = ruleTable(principal)
    await this.database.transaction(async trx => {
      await trx(table)
        .insert({package: normalizeName(project), ...key, read: false, write: false, [permission]: true})
        .onConflict(['package', ...Object.keys(key)])
        .merge({[permission]: true})
    })
  }

  /** From every spelling: what is revoked must not come back by another. A rule that gives nothing more goes. */
  async revoke(project: string, principal: Principal, permission: Permission): Promise<void> {
    const normalized = normalizeName(project)
    const {table, key} = ruleTable(principal)
    await this.database.transaction(async trx => {
      const stored = (await trx(table).where(key).pluck('package')) as string[]
      for (const spelling of stored.filter(name => normalizeName(name) === normalized)) {
        const row = {...key, package: spelling}
        await trx(table)
          .where(row)
          .update({[permission]: false})
        await trx(table)
          .where(row)
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

  load(entries: AsyncIterable<AclEntry>, options: {dryRun?: boolean} = {}): Promise<LoadReport> {
    return loadEntries(this.database, entries, options.dryRun ?? false)
  }
}

const needsAdmin = async (knex: Knex): Promise<boolean> => !(await isMarked(knex)) && !(await hasAdmin(knex))

async function insertAccount(trx: Knex.Transaction, account: Required<Account>): Promise<void> {
  const {username, passwordHash, admin, pending} = account
  if ((await trx('pypicloud_users').where({username}).first('username')) !== undefined) {
    throw new AlreadyExists(`a user ${quote(username)} exists already`)
  }
  await deleteTraces(trx, {user: username})
  await trx('pypicloud_users').insert({username, password: passwordHash, admin, pending})
  if (admin) await markAdmin(trx)
}

const ruleTable = (principal: Principal) =>
  'user' in principal
    ? {table: 'pypicloud_user_permissions', key: {username: principal.user}}
    : {table: 'pypicloud_group_permissions', key: {groupname: principal.group}}
