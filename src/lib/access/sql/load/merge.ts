import type {LoadReport} from '../../access.js'
import {loadNotice} from '../../load-notices.js'
import {keyvals} from '../tables.js'
import {hasAdmin, markAdmin, rememberAdmin} from '../writer.js'
import {mergeGrants} from './merge-grants.js'
import {mergeGroups, mergeMembers} from './merge-groups.js'
import {mergeTokens} from './merge-tokens.js'
import {mergeUsers} from './merge-users.js'
import type {Merging} from './merging.js'
import {Prune} from './prune.js'

/** What is new in the stage goes into pypicloud's tables; statement by statement, never row by row. */
export async function mergeStage(merging: Merging, {prune}: {prune: boolean}): Promise<LoadReport> {
  const {trx, stage, differences, notices} = merging
  await rememberAdmin(trx)
  const hadAdmin = await hasAdmin(trx)
  if (prune) await new Prune(merging).run()
  const users = await mergeUsers(merging)
  const groupsAdded = await mergeGroups(merging)
  const membersAdded = await mergeMembers(merging)
  const grantsAdded =
    (await mergeGrants(merging, 'user', 'username')) + (await mergeGrants(merging, 'group', 'groupname'))
  const tokensAdded = stage.hasTokens ? await mergeTokens(merging) : 0
  const registrationChanged = await mergeRegistration(merging)
  // a store that was restored is no new installation, even if the dump has no administrator (RULES 30)
  if (users.usersAdded > 0) await markAdmin(trx)
  await rememberAdmin(trx)
  if (hadAdmin && !(await hasAdmin(trx))) notices.push(loadNotice.noAdmin)
  return {
    ...users,
    groupsAdded,
    membersAdded,
    grantsAdded,
    tokensAdded,
    registrationChanged,
    differences: differences.list(),
    notices,
  }
}

async function mergeRegistration({trx, stage, differences}: Merging): Promise<boolean> {
  const allowed = stage.registration
  if (allowed === undefined) return false
  const stored: unknown = await trx('pypicloud_keyvals')
    .where({key: keyvals.registration, value: 'true'})
    .first()
  if (allowed === (stored !== undefined)) return false
  differences.add('changed', 'registration', 1, [allowed ? 'on' : 'off'])
  await trx('pypicloud_keyvals').where({key: keyvals.registration}).delete()
  if (allowed) await trx('pypicloud_keyvals').insert({key: keyvals.registration, value: 'true'})
  return true
}
