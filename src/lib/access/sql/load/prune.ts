import type {LoadDifference} from '../../access.js'
import {tokenFieldNames} from '../../api-tokens/token-fields.js'
import type {Merging} from './merging.js'
import {hasTokenTable, tokenTable} from '../token-table.js'
import {noteTokenChange} from '../tokens.js'
import {specialNames} from '../tables.js'

const users = 'pypicloud_users'
const groups = 'pypicloud_groups'
const members = 'pypicloud_user_groups'

/**
 * Removes what a staged dump lacks and takes back what gives more than it does; what is missing then is for the merge. Rows go before
 * the users and groups that they belong to, so that none is left behind where nobody enforces foreign keys.
 */
export class Prune {
  constructor(private readonly merging: Merging) {}

  async run(): Promise<void> {
    await this.#pruneTokens()
    await this.#pruneRules('user', 'username')
    await this.#pruneRules('group', 'groupname')
    await this.#pruneMembers()
    const isGone = `name NOT IN (${specialNames}) AND ${this.#lacks('groups', `${groups}.name`, 'name')}`
    await this.#delete('group', groups, 'name', isGone)
    const lacksUser = this.#lacks('users', `${users}.username`, 'username')
    await this.#delete('user', users, 'username', `NOT pending AND ${lacksUser}`)
    await this.#delete('pending user', users, 'username', `pending AND ${lacksUser}`)
    await this.#updateUsers()
  }

  /** That no staged row has this name. */
  #lacks(table: 'users' | 'groups', column: string, staged: string): string {
    return `NOT EXISTS (SELECT 1 FROM ${this.merging.stage[table]} n WHERE ${this.merging.dialect.same(`n.${staged}`, column)})`
  }

  /** When a token was used last, no dump says: of those that stay it is kept. */
  async #pruneTokens(): Promise<void> {
    const {trx, dialect, stage} = this.merging
    if (!(await hasTokenTable(trx, dialect))) return
    const isSame = ['id', 'owner']
      .map(name => dialect.same(`s.${name}`, `${tokenTable}.${name}`))
      .join(' AND ')
    const name = `${tokenTable}.id || ' of ' || ${tokenTable}.owner`
    const isGone = `NOT EXISTS (SELECT 1 FROM ${stage.tokens} s WHERE ${isSame})
      OR ${this.#lacks('users', `${tokenTable}.owner`, 'username')}`
    const gone = await this.#delete('token', tokenTable, name, isGone)
    const fields = tokenFieldNames.filter(field => field !== 'id' && field !== 'owner')
    const textOf = (table: string, field: string) => dialect.exact(`coalesce(${table}.${field}, '')`)
    const differs = fields.map(field => `${textOf('s', field)} <> ${textOf(tokenTable, field)}`)
    const changed = await this.#update('token', tokenTable, name, {
      staged: stage.tokens,
      on: isSame,
      where: `(${differs.join(' OR ')})`,
      set: Object.fromEntries(fields.map(field => [field, `s.${field}`])),
    })
    if (gone + changed > 0) await noteTokenChange(trx)
  }

  async #pruneRules(kind: 'user' | 'group', column: 'username' | 'groupname'): Promise<void> {
    const {dialect, stage} = this.merging
    const table = `pypicloud_${kind}_permissions`
    const isSame = `s.kind = '${kind}' AND ${dialect.same('s.name', `${table}.${column}`)}
      AND ${dialect.same('s.package', `${table}.package`)}`
    const lacksOwner =
      kind === 'user'
        ? this.#lacks('users', `${table}.username`, 'username')
        : `(${table}.groupname NOT IN (${specialNames}) AND ${this.#lacks('groups', `${table}.groupname`, 'name')})`
    const name = `${table}.package || ' for ${kind} ' || ${table}.${column}`
    const where = `NOT EXISTS (SELECT 1 FROM ${stage.grants} s WHERE ${isSame}) OR ${lacksOwner}`
    await this.#delete('rule', table, name, where)
    const stored = (flag: string) => `coalesce(${table}."${flag}", FALSE)`
    await this.#update('rule', table, name, {
      staged: stage.grants,
      on: isSame,
      where: `((${stored('read')} AND NOT s."read") OR (${stored('write')} AND NOT s."write"))`,
      set: {read: `${stored('read')} AND s."read"`, write: `${stored('write')} AND s."write"`},
    })
  }

  async #pruneMembers(): Promise<void> {
    const {same} = this.merging.dialect
    const isSame = `${same('s.username', `${members}.username`)} AND ${same('s.grp', `${members}."group"`)}`
    const where = `NOT EXISTS (SELECT 1 FROM ${this.merging.stage.members} s WHERE ${isSame})
      OR ${this.#lacks('users', `${members}.username`, 'username')}
      OR ${this.#lacks('groups', `${members}."group"`, 'name')}`
    await this.#delete('member', members, `username || ' of ' || "group"`, where)
  }

  /** Administrators are for the merge, which takes them over anyway. */
  async #updateUsers(): Promise<void> {
    const same = {
      staged: this.merging.stage.users,
      on: this.merging.dialect.same('s.username', `${users}.username`),
    }
    const name = `${users}.username`
    await this.#update('pending user', users, name, {
      ...same,
      where: `s.pending AND NOT ${users}.pending`,
      set: {pending: 'TRUE', admin: 'FALSE'},
    })
    await this.#update('user', users, name, {
      ...same,
      where: `NOT s.pending AND ${users}.pending`,
      set: {pending: 'FALSE'},
    })
    await this.#update('password', users, name, {
      ...same,
      where: `s.password IS NOT NULL AND NOT ${this.merging.dialect.same('s.password', `${users}.password`)}`,
      set: {password: 's.password'},
    })
  }

  async #delete(kind: LoadDifference['kind'], table: string, name: string, where: string): Promise<number> {
    const count = await this.merging.note('removed', kind, `FROM ${table} WHERE ${where}`, name)
    if (count > 0) await this.merging.trx.raw(`DELETE FROM ${table} WHERE ${where}`)
    return count
  }

  async #update(
    kind: LoadDifference['kind'],
    table: string,
    name: string,
    {staged, on, where, set}: {staged: string; on: string; where: string; set: Record<string, string>},
  ): Promise<number> {
    const count = await this.merging.note(
      'changed',
      kind,
      `FROM ${table} JOIN ${staged} s ON ${on} WHERE ${where}`,
      name,
    )
    if (count === 0) return 0
    const isMysql = this.merging.dialect.name === 'mysql'
    const column = (key: string) => (isMysql ? `${table}."${key}"` : `"${key}"`)
    const sets = Object.entries(set).map(([key, value]) => `${column(key)} = ${value}`)
    await this.merging.trx.raw(
      isMysql
        ? `UPDATE ${table} JOIN ${staged} s ON ${on} SET ${sets.join(', ')} WHERE ${where}`
        : `UPDATE ${table} SET ${sets.join(', ')} FROM ${staged} s WHERE ${on} AND ${where}`,
    )
    return count
  }
}
