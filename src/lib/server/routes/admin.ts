import type {FastifyInstance, FastifyReply, FastifyRequest} from 'fastify'
import {pipeline, Readable} from 'node:stream'
import {createGzip} from 'node:zlib'
import type {Permission, Principal} from '../../access/access.js'
import {formatDump} from '../../access/dump/dump.js'
import {checkGroupName, checkUsername} from '../../access/names.js'
import {createSignupToken} from '../../access/tokens.js'
import {tokenFields} from '../../config/schema/access.js'
import {normalizeName} from '../../packaging/names.js'
import {requireAdmin, requireSegments, requireWriter, sendEmpty, sendJson, type Context} from '../context.js'
import {HttpError, notFound} from '../http/errors.js'
import type {Json} from '../../python-json.js'
import {readParameters} from '../http/parameters.js'
import {rebuildHandlers} from './rebuild.js'
import {hashFor} from './users.js'

type Names = {user: string; group: string; project: string; kind: string; name: string; permission: string}
type Request = FastifyRequest<{Params: Names}>
/** What an admin route gives: a value for JSON, or nothing after a change, or nothing because it has answered. */
type Handler = (request: Request, reply: FastifyReply) => Promise<unknown>

/** `/admin/…`: users, groups, rights, registration, the dump and the rebuild. */
export function adminRoutes(app: FastifyInstance, context: Context): void {
  const {access} = context
  const route = (method: string | string[], path: string, handler: Handler) => {
    for (const end of ['', '/']) {
      app.route<{Params: Names}>({
        method: method === 'ANY' ? [...app.supportedMethods] : method,
        url: `/admin/${path}${end}`,
        handler: async (request, reply) => {
          requireSegments(request)
          await requireAdmin(context, request)
          const value = await handler(request, reply)
          if (reply.sent) return reply
          return value === undefined ? sendEmpty(reply) : sendJson(context, reply, value as Json)
        },
      })
    }
  }
  const read = ['GET', 'HEAD']

  route(read, 'user', async () => (await access.listUsers()).map(({username, admin}) => ({username, admin})))
  route(read, 'user/:user', async ({params}) => {
    const account = await access.findAccount(params.user)
    if (!account || account.pending) return null
    const {username, admin} = account
    return {username, admin, groups: await access.listGroupsOf(username)}
  })
  route('PUT', 'user/:user', async request => {
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
  })
  route('DELETE', 'user/:user', ({params}) => requireWriter(access).deleteUser(params.user))
  route('POST', 'user/:user/approve', ({params}) => requireWriter(access).approve(params.user))
  route('POST', 'user/:user/admin', async request => {
    const admin = (await readParameters(request)).flag('admin')
    await requireWriter(access).setAdmin(request.params.user, admin)
  })
  route('PUT', 'user/:user/group/:group', ({params}) =>
    requireWriter(access).addMember(params.group, params.user),
  )
  route('DELETE', 'user/:user/group/:group', ({params}) =>
    requireWriter(access).removeMember(params.group, params.user),
  )
  route('ANY', 'user/:user/permissions', ({params}) => grantsOf(context, {user: params.user}))
  route(read, 'pending_users', () => requireWriter(access).listPending())

  route(read, 'group', () => access.listGroups())
  route('PUT', 'group/:group', async ({params}) => {
    if (['everyone', 'authenticated', 'admin'].includes(params.group)) {
      throw new HttpError(400, `'${params.group}' is a reserved name`)
    }
    checkGroupName(params.group)
    await requireWriter(access).createGroup(params.group)
  })
  route('DELETE', 'group/:group', ({params}) => requireWriter(access).deleteGroup(params.group))
  route([...read, 'POST'], 'group/:group', async ({params}) => ({
    members: await access.listMembers(params.group),
    packages: await grantsOf(context, {group: params.group}),
  }))

  route(read, 'package/:project', async ({params}) => {
    const {users, groups} = await access.getRules(normalizeName(params.project))
    return {
      user: [...users].map(([username, permissions]) => ({username, permissions: sorted(permissions)})),
      group: [...groups].map(([group, permissions]) => ({group, permissions: sorted(permissions)})),
    }
  })
  for (const [method, verb] of [
    ['PUT', 'grant'],
    ['DELETE', 'revoke'],
  ] as const) {
    route(method, 'package/:project/:kind/:name/:permission', async request => {
      const {project, kind, name, permission} = request.params
      if (!isPermission(permission) || (kind !== 'user' && kind !== 'group'))
        throw notFound('package', 'raised')
      const principal: Principal = kind === 'user' ? {user: name} : {group: name}
      await requireWriter(access)[verb](project, principal, permission)
    })
  }

  route('POST', 'register', async request => {
    const allow = (await readParameters(request)).flag('allow')
    await requireWriter(access).setRegistration(allow)
  })
  route(read, 'token/:user', async request => {
    const {signingKey} = context.config.read(tokenFields)
    if (signingKey === undefined) {
      throw new HttpError(400, 'Tokens need auth.signing_key in the config', {form: 'raised'})
    }
    requireWriter(access)
    checkUsername(request.params.user)
    const token = createSignupToken(request.params.user, signingKey)
    return Promise.resolve({token, token_url: `${context.address.root(request)}/acct/login#/?token=${token}`})
  })
  route(read, 'acl.json.gz', async (request, reply) => {
    const gzip = createGzip()
    if (request.method === 'HEAD') gzip.end()
    else pipeline(Readable.from(formatDump(access)), gzip, () => undefined) // the reply sees the failure
    return reply
      .type('text/html; charset=UTF-8') // as pypicloud; the name says what it is
      .header('content-disposition', 'attachment; filename="acl.json.gz"')
      .header('cache-control', 'private, no-store')
      .send(gzip)
  })
  const rebuild = rebuildHandlers(context)
  route(
    [...app.supportedMethods].filter(method => method !== 'POST'),
    'rebuild',
    rebuild.wait,
  )
  route('POST', 'rebuild', rebuild.start)
  route(read, 'rebuild/status', rebuild.status)
}

async function grantsOf({access}: Context, principal: Principal): Promise<Json> {
  const grants = await access.listGrants(principal)
  return grants.map(({project, permissions}) => ({package: project, permissions: sorted(permissions)}))
}

const isPermission = (text: string): text is Permission => text === 'read' || text === 'write'
/** `read` before `write`. */
const sorted = (permissions: Iterable<Permission>): Permission[] => [...permissions].sort()
