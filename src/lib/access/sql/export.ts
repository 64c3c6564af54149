import type {Database} from '../../sql/database.js'
import type {Dialect} from '../../sql/dialect.js'
import type {AclEntry} from '../access.js'
import {tokenOf} from '../api-tokens/token-fields.js'
import {permissionsOf} from '../rules.js'
import {keyvals, specialNames} from './tables.js'
import {hasTokenTable, tokenTable} from './token-table.js'

/** One entry of a dump. The parts are in its order; `first` and `second` sort within a part. */
interface Row {
  readonly part: Part
  readonly first: string | number
  readonly second: string
  readonly text: string | null
  readonly a: unknown
  readonly b: unknown
}
const Part = {registration: 0, group: 1, user: 2, userGrant: 3, groupGrant: 4, pending: 5, token: 6} as const
type Part = (typeof Part)[keyof typeof Part]

/** In one query, so that a dump is of one moment. A group's own row comes before its members': '' sorts first. */
function everything({name: database, exact}: Dialect, hasTokens: boolean): string {
  const madeWhen = database === 'sqlite' ? 'rowid' : "''" // servers keep no order of rows
  const flag = (column: string) => `CASE WHEN ${column} THEN 1 ELSE 0 END`
  return `
    SELECT ${Part.registration} AS part, '' AS first, '' AS second, NULL AS text, count(*) AS a, 0 AS b
      FROM pypicloud_keyvals WHERE "key" = '${keyvals.registration}' AND value = 'true'
    UNION ALL
    SELECT ${Part.group}, ${exact('name')}, '', NULL, 0, 0 FROM pypicloud_groups WHERE name NOT IN (${specialNames})
    UNION ALL
    SELECT ${Part.group}, ${exact('m."group"')}, ${exact('m.username')}, NULL, 1, 0 FROM pypicloud_user_groups m
      JOIN pypicloud_groups g ON g.name = m."group" AND g.name NOT IN (${specialNames})
      JOIN pypicloud_users u ON u.username = m.username
    UNION ALL
    SELECT CASE WHEN pending THEN ${Part.pending} ELSE ${Part.user} END, ${madeWhen}, ${exact('username')},
      ${exact('password')}, ${flag('admin')}, 0
      FROM pypicloud_users
    UNION ALL
    SELECT ${Part.userGrant}, ${exact('p.package')}, ${exact('p.username')}, NULL,
      ${flag('p."read"')}, ${flag('p."write"')}
      FROM pypicloud_user_permissions p JOIN pypicloud_users u ON u.username = p.username
    UNION ALL
    SELECT ${Part.groupGrant}, ${exact('p.package')}, ${exact('p.groupname')}, NULL,
      ${flag('p."read"')}, ${flag('p."write"')}
      FROM pypicloud_group_permissions p
      WHERE p.groupname IN (${specialNames}) OR EXISTS (SELECT 1 FROM pypicloud_groups g WHERE g.name = p.groupname)${hasTokens ? tokens({exact}) : ''}`
}

/** Fields of a token in one column, a line each: none of them holds a line break. */
const tokenLines = ['sha256', 'name', 'scopes', 'projects', 'created', 'expires'] as const
const tokens = ({exact}: Pick<Dialect, 'exact'>): string => `
    UNION ALL
    SELECT ${Part.token}, ${exact('t.owner')}, ${exact('t.id')},
      ${exact(`(${tokenLines.map(field => `coalesce(t.${field}, '')`).join(` || '\n' || `)})`)}, 0, 0
      FROM ${tokenTable} t JOIN pypicloud_users u ON u.username = t.owner`

/** Users come in the order in which they were made where the database knows it, as in pypicloud's dumps; the rest by name. */
export async function* exportRows(database: Database): AsyncGenerator<AclEntry> {
  const {knex, dialect} = database
  const query = knex
    .from(knex.raw(`(${everything(dialect, await hasTokenTable(knex, dialect))}) AS entries`))
    .select('*')
    .orderBy(['part', 'first', 'second', 'a'])
  for await (const row of database.iterate<Row>(query)) yield toEntry(row)
}

function toEntry({part, first, second, text, a, b}: Row): AclEntry {
  switch (part) {
    case Part.registration:
      return {kind: 'registration', allowed: Number(a) > 0}
    case Part.group:
      return Number(a) > 0
        ? {kind: 'member', group: String(first), username: second}
        : {kind: 'group', name: String(first)}
    case Part.user:
      return {kind: 'user', username: second, admin: Number(a) > 0, passwordHash: text}
    case Part.userGrant:
    case Part.groupGrant: {
      const principal = part === Part.userGrant ? {user: second} : {group: second}
      return {
        kind: 'grant',
        project: String(first),
        principal,
        permissions: permissionsOf(Number(a), Number(b)),
      }
    }
    case Part.pending:
      return {kind: 'pending', username: second, passwordHash: text}
    case Part.token: {
      const lines = (text ?? '').split('\n')
      const fields = Object.fromEntries(tokenLines.map((field, index) => [field, lines[index]]))
      return {kind: 'token', ...tokenOf({...fields, id: second, owner: String(first)})}
    }
  }
}
