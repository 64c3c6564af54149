import {loadNotice} from '../../load-notices.js'
import {maybeRefused} from '../odd-names.js'
import {specialNames} from '../tables.js'
import type {Merging} from './merging.js'

/** @returns how many are new */
export async function mergeGroups(merging: Merging): Promise<number> {
  const {trx, dialect, stage} = merging
  const source = `FROM ${stage.groups} s WHERE s.name NOT IN (${specialNames}) AND NOT ${merging.isGroup('s.name')}`
  const count = await merging.note('added', 'group', source, 's.name')
  if (count > 0) {
    const added = `(SELECT s.name ${source})`
    await trx.raw(`DELETE FROM pypicloud_group_permissions
      WHERE groupname NOT IN (${specialNames}) AND groupname IN ${added}`)
    await trx.raw(`DELETE FROM pypicloud_user_groups WHERE "group" IN ${added}`)
    await trx.raw(`INSERT INTO pypicloud_groups (name) SELECT s.name ${source} ${merging.inTheirOrder}`)
  }
  await merging.report(
    `SELECT name FROM ${stage.groups} WHERE ${maybeRefused(dialect, 'name')}`,
    loadNotice.oddGroup,
  )
  return count
}

/** @returns how many are new */
export async function mergeMembers(merging: Merging): Promise<number> {
  const {trx, dialect, stage} = merging
  const {members} = stage
  const known = `${merging.isUser('s.username')} AND ${merging.isGroup('s.grp')}`
  await merging.report(
    `SELECT DISTINCT s.grp || ' ' || s.username AS name, s.grp AS a, s.username AS b
      FROM ${members} s WHERE s.grp NOT IN (${specialNames}) AND NOT (${known})`,
    (_name, {a, b}) => loadNotice.noMember(String(a), String(b)),
  )
  const source = `FROM ${members} s WHERE ${known} AND s.grp NOT IN (${specialNames}) AND NOT EXISTS
    (SELECT 1 FROM pypicloud_user_groups m
      WHERE ${dialect.same('m.username', 's.username')} AND ${dialect.same('m."group"', 's.grp')})`
  const distinct = `FROM (SELECT DISTINCT s.username, s.grp ${source}) AS added`
  const count = await merging.note('added', 'member', distinct, `added.username || ' of ' || added.grp`)
  if (count === 0) return 0
  await trx.raw(
    `INSERT INTO pypicloud_user_groups (username, "group") SELECT DISTINCT s.username, s.grp ${source}`,
  )
  return count
}
