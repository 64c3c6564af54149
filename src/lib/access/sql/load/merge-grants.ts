import type {Dialect} from '../../../sql/dialect.js'
import {loadNotice} from '../../load-notices.js'
import {specialGroups} from '../../names.js'
import {specialNames} from '../tables.js'
import {addSpecialGroups} from '../writer.js'
import type {Merging} from './merging.js'

/** The rules of users, or of groups: what is there gets more, never less. @returns how many permissions are new */
export async function mergeGrants(
  merging: Merging,
  kind: 'user' | 'group',
  column: 'username' | 'groupname',
): Promise<number> {
  const {trx, dialect, stage} = merging
  const {same} = dialect
  const table = `pypicloud_${kind}_permissions`
  const exists =
    kind === 'user'
      ? merging.isUser('s.name')
      : `(s.name IN (${specialNames}) OR ${merging.isGroup('s.name')})`
  const source = `FROM ${stage.grants} s WHERE s.kind = '${kind}'`
  await merging.report(`SELECT s.package AS name, s.name AS a ${source} AND NOT ${exists}`, (project, {a}) =>
    loadNotice.nobodysRule(project, kind, String(a)),
  )
  const joined = `FROM ${stage.grants} s LEFT JOIN ${table} p
    ON ${same('p.package', 's.package')} AND ${same(`p.${column}`, 's.name')}
    WHERE s.kind = '${kind}' AND ${exists}`
  const [row] = await merging.select(
    `SELECT sum(CASE WHEN s."read" AND NOT coalesce(p."read", FALSE) THEN 1 ELSE 0 END
        + CASE WHEN s."write" AND NOT coalesce(p."write", FALSE) THEN 1 ELSE 0 END
        + CASE WHEN NOT s."read" AND NOT s."write" AND p.package IS NULL THEN 1 ELSE 0 END) AS n ${joined}`,
  )
  const count = Number(row?.['n'] ?? 0)
  if (count === 0) return 0
  const rule = `s.package || ' for ${kind} ' || s.name`
  await merging.note('added', 'rule', `${joined} AND p.package IS NULL`, rule)
  const more = (flag: string) => `(s."${flag}" AND NOT coalesce(p."${flag}", FALSE))`
  const gains = `${joined} AND p.package IS NOT NULL AND (${more('read')} OR ${more('write')})`
  await merging.note('changed', 'rule', gains, rule)
  if (kind === 'group') await addNamedSpecialGroups(merging, source)
  await trx.raw(
    `INSERT INTO ${table} (package, "read", "write", ${column})
      SELECT s.package, s."read", s."write", s.name ${source} AND ${exists} ORDER BY 1, 4
      ${addedTo(table, column, dialect)}`,
  )
  return count
}

/** What happens to a rule that is there: it gives more, never less. */
function addedTo(table: string, column: string, dialect: Dialect): string {
  const stored = (flag: string) => `coalesce(${table}."${flag}", FALSE)`
  if (dialect.name === 'mysql') {
    const added = (flag: string) => `"${flag}" = ${stored(flag)} OR VALUES("${flag}")`
    return `ON DUPLICATE KEY UPDATE ${added('read')}, ${added('write')}`
  }
  const added = (flag: string) => `"${flag}" = ${stored(flag)} OR excluded."${flag}"`
  const more = (flag: string) => `(excluded."${flag}" AND NOT ${stored(flag)})`
  return `ON CONFLICT (package, ${column}) DO UPDATE SET ${added('read')}, ${added('write')}
    WHERE ${more('read')} OR ${more('write')}`
}

async function addNamedSpecialGroups(merging: Merging, source: string): Promise<void> {
  const rows = await merging.select(
    `SELECT DISTINCT s.name AS name ${source} AND s.name IN (${specialNames})`,
  )
  const named = rows.map(row => String(row['name']))
  const groups = specialGroups.filter(group => named.includes(group))
  await addSpecialGroups(merging.trx, merging.dialect, groups)
}
