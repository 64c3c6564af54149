import type {Permission, Principal} from '../../access/access.js'
import {checkGroupName} from '../../access/names.js'
import {normalizeName} from '../../packaging/names.js'
import type {Json} from '../../python-json.js'
import {requireWriter, type Context} from '../context.js'
import {HttpError, notFound} from '../http/errors.js'
import {json, note} from '../routing/answers.js'
import {adminRow, refused} from '../routing/admin-row.js'
import type {Route} from '../routing/route.js'

/** `/admin/group/…` and `/admin/package/…`: groups, and who may do what. */
export function adminRuleRoutes(context: Context): Route[] {
  const {access} = context
  const row = adminRow(context)

  return [
    row({
      about: 'All groups.',
      method: 'GET',
      path: '/admin/group',
      gives: json('Names.', {listOf: 'Text'}),
      does: () => access.listGroups(),
    }),
    row({
      about: 'Creates a group.',
      method: 'PUT',
      path: '/admin/group/:group',
      audit: 'group.create',
      fails: {...refused, 409: note('The group exists.')},
      does: async ({params}) => {
        if (['everyone', 'authenticated', 'admin'].includes(params.group)) {
          throw new HttpError(400, `'${params.group}' is a reserved name`)
        }
        checkGroupName(params.group)
        await requireWriter(access).createGroup(params.group)
      },
    }),
    row({
      about: 'Deletes a group and the rules for it.',
      method: 'DELETE',
      path: '/admin/group/:group',
      audit: 'group.delete',
      fails: refused,
      does: ({params}) => requireWriter(access).deleteGroup(params.group),
    }),
    row({
      about: 'Who is in a group and what it may do.',
      method: ['GET', 'POST', 'PATCH', 'OPTIONS'], // as pypicloud: all that do nothing else
      path: '/admin/group/:group',
      gives: json('Empty lists for an unknown group.', 'Group'),
      does: async ({params}) => ({
        members: await access.listMembers(params.group),
        packages: await grantsOf(context, {group: params.group}),
      }),
    }),

    row({
      about: 'The rules of a project.',
      method: 'GET',
      path: '/admin/package/:project',
      gives: json('By user and by group.', 'ProjectRules'),
      does: async ({params}) => {
        const {users, groups} = await access.getRules(normalizeName(params.project))
        return {
          user: [...users].map(([username, permissions]) => ({username, permissions: sorted(permissions)})),
          group: [...groups].map(([group, permissions]) => ({group, permissions: sorted(permissions)})),
        }
      },
    }),
    ...(
      [
        ['PUT', 'grant', 'Gives a permission: read or write, to a user or a group.'],
        ['DELETE', 'revoke', 'Takes a permission back.'],
      ] as const
    ).map(([method, verb, about]) =>
      row({
        about,
        method,
        path: '/admin/package/:project/:kind/:name/:permission',
        audit: `permission.${verb}`,
        fails: {...refused, 404: note('There is no such kind or permission.')},
        does: async request => {
          const {project, kind, name, permission} = request.params
          if (!isPermission(permission) || (kind !== 'user' && kind !== 'group'))
            throw notFound('package', 'raised')
          const principal: Principal = kind === 'user' ? {user: name} : {group: name}
          await requireWriter(access)[verb](project, principal, permission)
        },
      }),
    ),
  ]
}

/** What `principal` may do by rules of its own. */
export async function grantsOf({access}: Context, principal: Principal): Promise<Json> {
  const grants = await access.listGrants(principal)
  return grants.map(({project, permissions}) => ({package: project, permissions: sorted(permissions)}))
}

const isPermission = (text: string): text is Permission => text === 'read' || text === 'write'
/** `read` before `write`. */
const sorted = (permissions: Iterable<Permission>): Permission[] => [...permissions].sort()
