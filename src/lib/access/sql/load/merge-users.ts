import type {LoadReport} from '../../access.js'
import {loadNotice} from '../../load-notices.js'
import {maybeRefused} from '../odd-names.js'
import type {Merging} from './merging.js'

const namesPerStatement = 1000

/** Users and those who wait for approval. Of whoever is there, only the administrator flag changes. */
export async function mergeUsers(
  merging: Merging,
): Promise<Pick<LoadReport, 'usersAdded' | 'usersKept' | 'pendingAdded' | 'adminsChanged'>> {
  const {dialect, stage} = merging
  const known = `FROM ${stage.users} s JOIN pypicloud_users u ON ${dialect.same('u.username', 's.username')}`
  const usersKept = await merging.count(`${known} WHERE NOT s.pending`)
  const adminsChanged = await mergeAdmins(merging, known)
  await merging.report(
    `SELECT username AS name FROM ${stage.users} s WHERE password IS NULL AND NOT ${merging.isUser('s.username')}`,
    loadNotice.noPassword,
  )
  const usersAdded = await insertUsers(merging, 'NOT s.pending')
  const pendingAdded = await insertUsers(merging, 's.pending')
  await merging.report(
    `SELECT username AS name FROM ${stage.users} s
      WHERE ${merging.isUser('s.username')} AND ${maybeRefused(dialect, 's.username')}`,
    loadNotice.oddUser,
  )
  return {usersAdded, usersKept, pendingAdded, adminsChanged}
}

/** @param known staged users `s` with those `u` that are there. @returns their names, sorted */
async function mergeAdmins(merging: Merging, known: string): Promise<string[]> {
  const {trx, dialect} = merging
  const changed = await merging.select(
    `SELECT ${dialect.exact('s.username')} AS name ${known}
      WHERE NOT s.pending AND s.admin <> u.admin ORDER BY 1`,
  )
  const all = changed.map(row => String(row['name']))
  merging.differences.add('changed', 'administrator flag', all.length, all)
  for (let start = 0; start < all.length; start += namesPerStatement) {
    const names = all.slice(start, start + namesPerStatement)
    await trx('pypicloud_users')
      .whereRaw(...dialect.isOneOf('username', names))
      .update({admin: trx.raw('NOT admin')})
  }
  return all
}

async function insertUsers(merging: Merging, which: 'NOT s.pending' | 's.pending'): Promise<number> {
  const {trx, stage} = merging
  const source = `FROM ${stage.users} s
    WHERE ${which} AND s.password IS NOT NULL AND NOT ${merging.isUser('s.username')}`
  const kind = which === 's.pending' ? 'pending user' : 'user'
  const count = await merging.note('added', kind, source, 's.username')
  if (count === 0) return 0
  // rules that are older than the user (RULES 35)
  for (const table of ['pypicloud_user_permissions', 'pypicloud_user_groups']) {
    await trx.raw(`DELETE FROM ${table} WHERE username IN (SELECT s.username ${source})`)
  }
  await trx.raw(
    `INSERT INTO pypicloud_users (username, password, admin, pending)
      SELECT s.username, s.password, s.admin, s.pending ${source} ${merging.inTheirOrder}`,
  )
  return count
}
