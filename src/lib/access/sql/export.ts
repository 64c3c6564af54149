import type {Database} from '../../sql/database.js'
import type {AclEntry} from '../access.js'
import {specialGroups} from '../names.js'
import {permissionsOf} from '../rules.js'
import {keyvals} from './tables.js'

/** One entry of a dump. The parts are in its order; `first` and `second` sort within a part. */
interface Row {
  readonly part: Part
  readonly first: string | number
  readonly second: string
  readonly text: string | null
  readonly a: unknown
  readonly b: unknown
}
const Part = {registration: 0, group: 1, user: 2, userGrant: 3, groupGrant: 4, pending: 5} as const
type Part = (typeof Part)[keyof typeof Part]

/** In one query, so that a dump is of one moment. A group's own row comes before its members': '' sorts first. */
const everything = `
  SELECT ${Part.registration} AS part, '' AS first, '' AS second, NULL AS text, count(*) AS a, NULL AS b
    FROM pypicloud_keyvals WHERE "key" = '${keyvals.registration}' AND value = 'true'
  UNION ALL
  SELECT ${Part.group}, name, '', NULL, 0, NULL FROM pypicloud_groups WHERE name NOT IN (:special)
  UNION ALL
  SELECT ${Part.group}, m."group", m.username, NULL, 1, NULL FROM pypicloud_user_groups m
    JOIN pypicloud_groups g ON g.name = m."group" AND g.name NOT IN (:special)
    JOIN pypicloud_users u ON u.username = m.username
  UNION ALL
  SELECT CASE WHEN pending THEN ${Part.pending} ELSE ${Part.user} END, rowid, username, password, admin, NULL
    FROM pypicloud_users
  UNION ALL
  SELECT ${Part.userGrant}, p.package, p.username, NULL, p.read, p.write FROM pypicloud_user_permissions p
    JOIN pypicloud_users u ON u.username = p.username
  UNION ALL
  SELECT ${Part.groupGrant}, p.package, p.groupname, NULL, p.read, p.write FROM pypicloud_group_permissions p
    WHERE p.groupname IN (:special) OR p.groupname IN (SELECT name FROM pypicloud_groups)
`

/** Users come in the order in which they were made, as in pypicloud's dumps; the rest by name. */
export async function* exportRows(database: Database): AsyncGenerator<AclEntry> {
  const special = specialGroups.map(group => `'${group}'`).join(', ')
  const {knex} = database
  const query = knex
    .from(knex.raw(`(${everything.replaceAll(':special', special)}) AS entries`))
    .select('*')
    .orderBy(['part', 'first', 'second', 'a'])
  for await (const row of database.iterate<Row>(query)) yield toEntry(row)
}

function toEntry({part, first, second, text, a, b}: Row): AclEntry {
  switch (part) {
    case Part.registration:
      return {kind: 'registration', allowed: Number(a) > 0}
    case Part.group:
      return a
        ? {kind: 'member', group: String(first), username: second}
        : {kind: 'group', name: String(first)}
    case Part.user:
      return {kind: 'user', username: second, admin: Boolean(a), passwordHash: text}
    case Part.userGrant:
    case Part.groupGrant: {
      const principal = part === Part.userGrant ? {user: second} : {group: second}
      return {kind: 'grant', project: String(first), principal, permissions: permissionsOf(a, b)}
    }
    case Part.pending:
      return {kind: 'pending', username: second, passwordHash: text}
  }
}
