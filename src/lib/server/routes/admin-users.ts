import {checkUsername} from '../../access/names.js'
import {requireWriter, type Context} from '../context.js'
import {readParameters} from '../http/parameters.js'
import {noteChange} from '../operation/audit.js'
import {json, note} from '../routing/answers.js'
import {adminRow, refused} from '../routing/admin-row.js'
import type {Route} from '../routing/route.js'
import {grantsOf} from './admin-rules.js'
import {hashFor} from '../accounts.js'

/** `/admin/user/…`: accounts, who is administrator, who is in which group. */
export function adminUserRoutes(context: Context): Route[] {
  const {access} = context
  const row = adminRow(context)

  return [
    row({
      about: 'All users.',
      method: 'GET',
      path: '/admin/user',
      gives: json('Name, and whether administrator.', {listOf: 'User'}),
      does: async () => (await access.listUsers()).map(({username, admin}) => ({username, admin})),
    }),
    row({
      about: 'A user and the groups he is in.',
      method: 'GET',
      path: '/admin/user/:user',
      gives: json('The user, or null.', 'UserWithGroups'),
      does: async ({params}) => {
        const account = await access.findAccount(params.user)
        if (!account || account.pending) return null
        const {username, admin} = account
        return {username, admin, groups: await access.listGroupsOf(username)}
      },
    }),
    row({
      about: 'Creates a user.',
      method: 'PUT',
      path: '/admin/user/:user',
      audit: 'user.create',
      arguments: [{name: 'password', about: 'To log in with.'}],
      fails: {...refused, 409: note('The user exists.')},
      does: async request => {
        const password = (await readParameters(request)).text('password')
        const {user: username} = request.params
        checkUsername(username)
        const writer = requireWriter(access)
        await writer.addAccount({
          username,
          passwordHash: await hashFor(context, password),
          admin: false,
          pending: false,
        })
      },
    }),
    row({
      about: 'Deletes a user and the rules for him. An unknown one is no failure.',
      method: 'DELETE',
      path: '/admin/user/:user',
      audit: 'user.delete',
      fails: refused,
      does: ({params}) => requireWriter(access).deleteUser(params.user),
    }),
    row({
      about: 'Lets somebody in who asked for an account.',
      method: 'POST',
      path: '/admin/user/:user/approve',
      audit: 'user.approve',
      fails: refused,
      does: ({params}) => requireWriter(access).approve(params.user),
    }),
    row({
      about: 'Makes a user administrator, or no longer.',
      method: 'POST',
      path: '/admin/user/:user/admin',
      audit: 'user.admin',
      arguments: [{name: 'admin', about: 'Which of the two.', type: 'boolean'}],
      fails: refused,
      does: async request => {
        const admin = (await readParameters(request)).flag('admin')
        noteChange(request, {admin})
        await requireWriter(access).setAdmin(request.params.user, admin)
      },
    }),
    row({
      about: 'Puts a user into a group.',
      method: 'PUT',
      path: '/admin/user/:user/group/:group',
      audit: 'group.add',
      fails: refused,
      does: ({params}) => requireWriter(access).addMember(params.group, params.user),
    }),
    row({
      about: 'Takes a user out of a group.',
      method: 'DELETE',
      path: '/admin/user/:user/group/:group',
      audit: 'group.remove',
      fails: refused,
      does: ({params}) => requireWriter(access).removeMember(params.group, params.user),
    }),
    row({
      about: 'What a user may do by rules of his own.',
      method: 'ANY',
      path: '/admin/user/:user/permissions',
      gives: json('By project.', {listOf: 'Grant'}),
      does: ({params}) => grantsOf(context, {user: params.user}),
    }),
    row({
      about: 'Who waits for approval.',
      method: 'GET',
      path: '/admin/pending_users',
      gives: json('Names.', {listOf: 'Text'}),
      fails: refused,
      does: () => requireWriter(access).listPending(),
    }),
  ]
}
