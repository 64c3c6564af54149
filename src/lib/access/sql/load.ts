import type {Knex} from 'knex'
import {InvalidInput} from '../../errors.js'
import type {Database, OneConnection} from '../../sql/database.js'
import type {Dialect} from '../../sql/dialect.js'
import type {AclEntry, LoadDifference, LoadOptions, LoadReport} from '../access.js'
import {tokenFieldNames} from '../api-tokens/token-fields.js'
import {LoadDifferences} from '../load-differences.js'
import {loadNotice, maxNotices} from '../load-notices.js'
import {quote, specialGroups} from '../names.js'
import {maybeRefused} from './odd-names.js'
import {noteDifferences, type NoteDifference} from './note-differences.js'
import {Prune} from './prune.js'
import {keyvals, specialNames} from './tables.js'
import {createTokenTable, hasTokenTable, tokenTable} from './token-table.js'
import {noteTokenChange} from './tokens.js'
import {addSpecialGroups, hasAdmin, markAdmin, rememberAdmin} from './writer.js'
import {openStage, type Stage} from './stage.js'

/**
 * Merges a dump in two steps. First all of it goes into temporary tables, while the database stays free for others:
 * a dump may come slowly, through a pipe, out of this very database. Then one transaction takes over what is new.
 */
export function loadEntries(
  database: Database,
  entries: AsyncIterable<AclEntry>,
  {dryRun = false, prune = false, maxNames = 0}: LoadOptions,
): Promise<LoadReport> {
  const {dialect} = database
  return database.withConnection(async connection => {
    const stage = await openStage(connection, dialect)
    try {
      for await (const entry of entries) {
        const adding = stage.add(entry)
        if (adding) await adding
      }
      await stage.flush()
      await refuseDuplicates(connection, dialect, stage)
      if (prune) await stage.index()
      // before the transaction, which on MySQL would end with it
      if (stage.hasTokens && !dryRun) await createTokenTable(database)
      let report: LoadReport | undefined
      const rollback = new Error('dry run')
      try {
        await connection.transaction(async trx => {
          report = await new Merge(trx, dialect, stage, new LoadDifferences(maxNames)).run(prune)
          if (dryRun) throw rollback
        })
      } catch (error) {
        if (error !== rollback) throw error
      }
      return report as LoadReport
    } finally {
      await stage.close()
    }
  })
}

async function refuseDuplicates(
  connection: OneConnection,
  {exact}: Dialect,
  {users, groups, grants, tokens}: Stage,
): Promise<void> {
  const findTwice = async (table: string, names: string[], more: string[] = []) => {
    const kept = [...names.map(name => `min(${name}) AS ${name}`), ...more].join(', ')
    const groupedBy = [...names.map(exact), ...more].join(', ')
    const query = `SELECT ${kept} FROM ${table} GROUP BY ${groupedBy} HAVING count(*) > 1 LIMIT 1`
    return (await connection.run(query))[0]
  }
  const user = await findTwice(users, ['username'], ['pending'])
  if (user) throw new InvalidInput(`the dump has the user ${quote(String(user['username']))} twice`)
  const group = await findTwice(groups, ['name'])
  if (group) throw new InvalidInput(`the dump has the group ${quote(String(group['name']))} twice`)
  const token = await findTwice(tokens, ['id'])
  if (token) throw new InvalidInput(`the dump has the API token ${quote(String(token['id']))} twice`)
  const grant = await findTwice(grants, ['package', 'name'], ['kind'])
  if (grant) {
    const {package: project, kind, name} = grant
    throw new InvalidInput(
      `the dump has the rule of project ${quote(String(project))} for ${String(kind)} ${quote(String(name))} twice`,
    )
  }
}

/** What is new in the stage goes into pypicloud's tables; statement by statement, never row by row. */
class Merge {
  readonly #notices: string[] = []

  readonly #note: NoteDifference

  constructor(
    private readonly trx: Knex.Transaction,
    private readonly dialect: Dialect,
    private readonly stage: Stage,
    private readonly differences: LoadDifferences,
  ) {
    this.#note = noteDifferences(trx, dialect, differences)
  }

  async run(prune: boolean): Promise<LoadReport> {
    const {trx, dialect, stage, differences} = this
    await rememberAdmin(trx)
    const hadAdmin = await hasAdmin(trx)
    if (prune) await new Prune(trx, dialect, stage, this.#note).run()
    const users = await this.#mergeUsers()
    const groupsAdded = await this.#mergeGroups()
    const membersAdded = await this.#mergeMembers()
    const grantsAdded =
      (await this.#mergeGrants('user', 'username')) + (await this.#mergeGrants('group', 'groupname'))
    const tokensAdded = stage.hasTokens ? await this.#mergeTokens() : 0
    const registrationChanged = await this.#mergeRegistration()
    // a store that was restored is no new installation, even if the dump has no administrator (RULES 30)
    if (users.usersAdded > 0) await markAdmin(trx)
    await rememberAdmin(trx)
    if (hadAdmin && !(await hasAdmin(trx))) this.#notices.push(loadNotice.noAdmin)
    return {
      ...users,
      groupsAdded,
      membersAdded,
      grantsAdded,
      tokensAdded,
      registrationChanged,
      differences: differences.list(),
      notices: this.#notices,
    }
  }

  async #mergeUsers(): Promise<
    Pick<LoadReport, 'usersAdded' | 'usersKept' | 'pendingAdded' | 'adminsChanged'>
  > {
    const {trx} = this
    const {users} = this.stage
    const known = `FROM ${users} s JOIN pypicloud_users u ON ${this.dialect.same('u.username', 's.username')}`
    const usersKept = await this.#count(`${known} WHERE NOT s.pending`)
    const changed = await this.#select(
      `SELECT ${this.dialect.exact('s.username')} AS name ${known}
        WHERE NOT s.pending AND s.admin <> u.admin ORDER BY 1`,
    )
    const adminsChanged = changed.map(row => String(row['name']))
    this.differences.add('changed', 'administrator flag', adminsChanged.length, adminsChanged)
    for (let start = 0; start < adminsChanged.length; start += namesPerStatement) {
      const names = adminsChanged.slice(start, start + namesPerStatement)
      await trx('pypicloud_users')
        .whereRaw(...this.dialect.isOneOf('username', names))
        .update({admin: trx.raw('NOT admin')})
    }
    await this.#report(
      `SELECT username AS name FROM ${users} s WHERE password IS NULL AND ${this.#isNewUser}`,
      loadNotice.noPassword,
    )
    const usersAdded = await this.#insertUsers('NOT s.pending')
    const pendingAdded = await this.#insertUsers('s.pending')
    await this.#report(
      `SELECT username AS name FROM ${users} s WHERE EXISTS
        (SELECT 1 FROM pypicloud_users u WHERE ${this.dialect.same('u.username', 's.username')})
        AND ${maybeRefused(this.dialect, 's.username')}`,
      loadNotice.oddUser,
    )
    return {usersAdded, usersKept, pendingAdded, adminsChanged}
  }

  get #isNewUser(): string {
    return `NOT EXISTS (SELECT 1 FROM pypicloud_users u WHERE ${this.dialect.same('u.username', 's.username')})`
  }

  async #insertUsers(which: string): Promise<number> {
    const {trx} = this
    const source = `FROM ${this.stage.users} s
      WHERE ${which} AND s.password IS NOT NULL AND ${this.#isNewUser}`
    const kind = which === 's.pending' ? 'pending user' : 'user'
    const count = await this.#added(kind, source, 's.username')
    if (count === 0) return 0
    // rules that are older than the user (RULES 35)
    for (const table of ['pypicloud_user_permissions', 'pypicloud_user_groups']) {
      await trx.raw(`DELETE FROM ${table} WHERE username IN (SELECT s.username ${source})`)
    }
    await trx.raw(
      `INSERT INTO pypicloud_users (username, password, admin, pending)
        SELECT s.username, s.password, s.admin, s.pending ${source} ${this.#inTheirOrder}`,
    )
    return count
  }

  /** Servers keep no order of rows. */
  get #inTheirOrder(): string {
    return this.dialect.name === 'sqlite' ? 'ORDER BY s.rowid' : ''
  }

  async #mergeGroups(): Promise<number> {
    const {trx} = this
    const source = `FROM ${this.stage.groups} s WHERE s.name NOT IN (${specialNames})
      AND NOT EXISTS (SELECT 1 FROM pypicloud_groups g WHERE ${this.dialect.same('g.name', 's.name')})`
    const count = await this.#added('group', source, 's.name')
    if (count > 0) {
      const added = `(SELECT s.name ${source})`
      await trx.raw(`DELETE FROM pypicloud_group_permissions
        WHERE groupname NOT IN (${specialNames}) AND groupname IN ${added}`)
      await trx.raw(`DELETE FROM pypicloud_user_groups WHERE "group" IN ${added}`)
      await trx.raw(`INSERT INTO pypicloud_groups (name) SELECT s.name ${source} ${this.#inTheirOrder}`)
    }
    await this.#report(
      `SELECT name FROM ${this.stage.groups} WHERE ${maybeRefused(this.dialect, 'name')}`,
      loadNotice.oddGroup,
    )
    return count
  }

  async #mergeMembers(): Promise<number> {
    const {trx} = this
    const {members} = this.stage
    const {same} = this.dialect
    const known = `EXISTS (SELECT 1 FROM pypicloud_users u WHERE ${same('u.username', 's.username')})
      AND EXISTS (SELECT 1 FROM pypicloud_groups g WHERE ${same('g.name', 's.grp')})`
    await this.#report(
      `SELECT DISTINCT s.grp || ' ' || s.username AS name, s.grp AS a, s.username AS b
        FROM ${members} s WHERE s.grp NOT IN (${specialNames}) AND NOT (${known})`,
      (_name, {a, b}) => loadNotice.noMember(String(a), String(b)),
    )
    const source = `FROM ${members} s WHERE ${known} AND s.grp NOT IN (${specialNames}) AND NOT EXISTS
      (SELECT 1 FROM pypicloud_user_groups m
        WHERE ${same('m.username', 's.username')} AND ${same('m."group"', 's.grp')})`
    const distinct = `FROM (SELECT DISTINCT s.username, s.grp ${source}) AS added`
    const count = await this.#added('member', distinct, `added.username || ' of ' || added.grp`)
    await trx.raw(
      `INSERT INTO pypicloud_user_groups (username, "group") SELECT DISTINCT s.username, s.grp ${source}`,
    )
    return count
  }

  async #mergeGrants(kind: 'user' | 'group', column: 'username' | 'groupname'): Promise<number> {
    const {trx} = this
    const table = `pypicloud_${kind}_permissions`
    const {same} = this.dialect
    const exists =
      kind === 'user'
        ? `EXISTS (SELECT 1 FROM pypicloud_users u WHERE ${same('u.username', 's.name')})`
        : `(s.name IN (${specialNames}) OR EXISTS (SELECT 1 FROM pypicloud_groups g WHERE ${same('g.name', 's.name')}))`
    const source = `FROM ${this.stage.grants} s WHERE s.kind = '${kind}'`
    await this.#report(`SELECT s.package AS name, s.name AS a ${source} AND NOT ${exists}`, (project, {a}) =>
      loadNotice.nobodysRule(project, kind, String(a)),
    )
    const joined = `FROM ${this.stage.grants} s LEFT JOIN ${table} p
      ON ${same('p.package', 's.package')} AND ${same(`p.${column}`, 's.name')}
      WHERE s.kind = '${kind}' AND ${exists}`
    const [row] = await this.#select(
      `SELECT sum(CASE WHEN s."read" AND NOT coalesce(p."read", FALSE) THEN 1 ELSE 0 END
          + CASE WHEN s."write" AND NOT coalesce(p."write", FALSE) THEN 1 ELSE 0 END
          + CASE WHEN NOT s."read" AND NOT s."write" AND p.package IS NULL THEN 1 ELSE 0 END) AS n ${joined}`,
    )
    const rule = `s.package || ' for ${kind} ' || s.name`
    await this.#added('rule', `${joined} AND p.package IS NULL`, rule)
    const more = (flag: string) => `(s."${flag}" AND NOT coalesce(p."${flag}", FALSE))`
    const gains = `${joined} AND p.package IS NOT NULL AND (${more('read')} OR ${more('write')})`
    await this.#note('changed', 'rule', gains, rule)
    if (kind === 'group') await this.#addSpecialGroups(source)
    await trx.raw(
      `INSERT INTO ${table} (package, "read", "write", ${column})
        SELECT s.package, s."read", s."write", s.name ${source} AND ${exists} ORDER BY 1, 4
        ${this.#addedTo(table, column)}`,
    )
    return Number(row?.['n'] ?? 0)
  }

  /** What happens to a rule that is there: it gives more, never less. */
  #addedTo(table: string, column: string): string {
    const stored = (flag: string) => `coalesce(${table}."${flag}", FALSE)`
    if (this.dialect.name === 'mysql') {
      const added = (flag: string) => `"${flag}" = ${stored(flag)} OR VALUES("${flag}")`
      return `ON DUPLICATE KEY UPDATE ${added('read')}, ${added('write')}`
    }
    const added = (flag: string) => `"${flag}" = ${stored(flag)} OR excluded."${flag}"`
    const more = (flag: string) => `(excluded."${flag}" AND NOT ${stored(flag)})`
    return `ON CONFLICT (package, ${column}) DO UPDATE SET ${added('read')}, ${added('write')}
      WHERE ${more('read')} OR ${more('write')}`
  }

  async #addSpecialGroups(source: string): Promise<void> {
    const rows = await this.#select(
      `SELECT DISTINCT s.name AS name ${source} AND s.name IN (${specialNames})`,
    )
    const named = rows.map(row => String(row['name']))
    const groups = specialGroups.filter(group => named.includes(group))
    await addSpecialGroups(this.trx, this.dialect, groups)
  }

  /** In a dry run, there may be no table yet. */
  async #mergeTokens(): Promise<number> {
    const {trx, dialect} = this
    const {tokens} = this.stage
    const hasOwner = `EXISTS (SELECT 1 FROM pypicloud_users u WHERE ${dialect.same('u.username', 's.owner')})`
    await this.#report(
      `SELECT s.id AS name, s.owner AS a FROM ${tokens} s WHERE NOT ${hasOwner}`,
      (id, {a}) => loadNotice.nobodysToken(id, String(a)),
    )
    const hasTable = await hasTokenTable(trx, dialect)
    const isNew = `NOT EXISTS (SELECT 1 FROM ${tokenTable} t WHERE ${dialect.same('t.id', 's.id')})`
    const source = `FROM ${tokens} s WHERE ${hasOwner} ${hasTable ? `AND ${isNew}` : ''}`
    const count = await this.#added('token', source, `s.id || ' of ' || s.owner`)
    if (count === 0 || !hasTable) return count
    const columns = tokenFieldNames.join(', ')
    await trx.raw(`INSERT INTO ${tokenTable} (${columns}) SELECT ${columns} ${source}`)
    await noteTokenChange(trx)
    return count
  }

  async #mergeRegistration(): Promise<boolean> {
    const {trx} = this
    const allowed = this.stage.registration
    if (allowed === undefined) return false
    const stored: unknown = await trx('pypicloud_keyvals')
      .where({key: keyvals.registration, value: 'true'})
      .first()
    if (allowed === (stored !== undefined)) return false
    this.differences.add('changed', 'registration', 1, [allowed ? 'on' : 'off'])
    await trx('pypicloud_keyvals').where({key: keyvals.registration}).delete()
    if (allowed) await trx('pypicloud_keyvals').insert({key: keyvals.registration, value: 'true'})
    return true
  }

  #added(kind: LoadDifference['kind'], source: string, name: string): Promise<number> {
    return this.#note('added', kind, source, name)
  }

  /** `query` selects what is to be told; of what it could not tell apart, `say` says nothing. */
  async #report(
    query: string,
    say: (name: string, row: Readonly<Record<string, unknown>>) => string | undefined,
  ): Promise<void> {
    const count = await this.#count(`FROM (${query}) AS found`)
    const rows = await this.#select(`${query} LIMIT ${maxNotices}`)
    for (const row of rows) {
      const notice = say(String(row['name']), row)
      if (notice !== undefined) this.#notices.push(notice)
    }
    if (count > maxNotices) this.#notices.push(loadNotice.more(count - maxNotices))
  }

  async #select(query: string): Promise<Record<string, unknown>[]> {
    return this.dialect.rowsOf(await this.trx.raw(query))
  }

  async #count(source: string): Promise<number> {
    const [row] = await this.#select(`SELECT count(*) AS n ${source}`)
    return Number(row?.['n'])
  }
}

const namesPerStatement = 1000
