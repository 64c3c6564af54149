import type {FastifyReply, FastifyRequest} from 'fastify'
import type {ApiToken, StoredToken} from '../../access/api-tokens/api-token.js'
import type {Identity} from '../../access/identity.js'
import type {Json} from '../../python-json.js'
import {createToken, getTokens, revokeToken} from '../../tasks/api-tokens.js'
import {denied, identify, requireWriter, sendEmpty, sendJson, type Context} from '../context.js'
import {forbidden, HttpError} from '../http/errors.js'
import {queryOf, readParameters} from '../http/parameters.js'
import {noteChange} from '../operation/audit.js'
import {empty, json, note} from '../routing/answers.js'
import {route, type Route, type RouteRequest} from '../routing/route.js'

/** `/api/token`: API tokens, of oneself, and for administrators of everybody. */
export function tokenRoutes(context: Context): Route[] {
  const {access, log} = context

  const list = async (request: FastifyRequest, reply: FastifyReply) => {
    const {username, admin} = await requireManager(context, request)
    const query = queryOf(request)
    const owner = query.get('user') ?? (query.get('all') === 'true' ? undefined : username)
    if (owner !== username && !admin) throw forbidden('Only administrators see the tokens of others.')
    void reply.header('cache-control', 'private, no-store')
    return sendJson(context, reply, {tokens: (await getTokens(access).list(owner)).map(tokenJson)})
  }

  const create = async (request: FastifyRequest, reply: FastifyReply) => {
    const {username, admin} = await requireManager(context, request)
    const parameters = await readParameters(request)
    const owner = parameters.has('user') ? parameters.text('user') : username
    if (owner !== username && !admin) throw forbidden('Only administrators make tokens for others.')
    requireWriter(access)
    const optional = (name: string) => (parameters.has(name) ? parameters.text(name) : undefined)
    const list = (name: string) => (parameters.has(name) ? parameters.texts(name) : undefined)
    const {text, token} = await createToken(access, {
      owner,
      name: optional('name'),
      scopes: list('scopes'),
      projects: list('projects'),
      expires: optional('expires'),
    })
    noteChange(request, {id: token.id, owner, scopes: token.scopes, projects: token.projects})
    log.info({token: token.id, owner, user: username, scopes: token.scopes}, 'API token created')
    void reply.code(201).header('cache-control', 'private, no-store')
    return sendJson(context, reply, {token: text, ...tokenJson({...token, lastUsed: null})})
  }

  const revoke = async (request: RouteRequest<'id'>, reply: FastifyReply) => {
    const {id} = request.params
    const identity = await identify(context, request)
    // whoever finds a token can at least end it
    const isItself = identity.limits?.tokenId === id
    const {username, admin} = isItself ? identity : requireFull(context, identity)
    const token = await getTokens(access).find(id)
    if (!token || (token.owner !== username && !admin))
      throw new HttpError(404, `There is no API token ${id}`, {form: 'raised'})
    noteChange(request, {owner: token.owner})
    requireWriter(access)
    await revokeToken(access, id)
    log.info({token: id, owner: token.owner, user: username}, 'API token revoked')
    return sendEmpty(reply)
  }

  return [
    route({
      about: 'The own API tokens, without their texts.',
      method: 'GET',
      path: '/api/token',
      who: 'user',
      arguments: [
        {name: 'user', about: 'For administrators: those of this user.', optional: true},
        {name: 'all', about: 'For administrators: `true` for those of everybody.', optional: true},
      ],
      answers: {200: json('By owner, the oldest first.', 'ApiTokens')},
      handler: list,
    }),
    route({
      about: 'Makes an API token.',
      method: 'POST',
      path: '/api/token',
      audit: 'token.create',
      who: 'user',
      arguments: [
        {name: 'scopes', about: 'Some of read, upload, delete and admin. Default: read.', optional: true},
        {
          name: 'projects',
          about: 'Names and patterns such as acme-*. Default: every project.',
          optional: true,
        },
        {name: 'expires', about: '90d, 2027-01-31 or never. Default: 365d.', optional: true},
        {name: 'name', about: 'What to call it in lists.', optional: true},
        {name: 'user', about: 'For administrators: whom it acts for.', optional: true},
      ],
      answers: {
        201: json('The token, for the only time.', 'NewApiToken'),
        400: note('There can be no such token, or tokens are lines of the configuration here.'),
      },
      handler: create,
    }),
    route({
      about: 'Revokes an API token; a token may do so with itself.',
      method: 'DELETE',
      path: '/api/token/:id',
      audit: 'token.revoke',
      who: 'user',
      answers: {
        200: empty('It is refused from now on.'),
        400: note('Tokens are lines of the configuration here.'),
        404: note('There is no such token, or it is another user’s.'),
      },
      handler: revoke,
    }),
  ]
}

type Person = Identity & {readonly username: string}

const requireManager = async (context: Context, request: FastifyRequest): Promise<Person> =>
  requireFull(context, await identify(context, request))

/** Tokens don't make tokens, which would outlive them, unless they may do what administrators do. @throws {HttpError} 401, 403. */
function requireFull(context: Context, identity: Identity): Person {
  const {username, limits, admin} = identity
  if (username === undefined) throw denied(context, identity)
  if (limits && !admin) throw forbidden('An API token needs the scope admin for this.')
  return {...identity, username}
}

const tokenJson = (token: ApiToken & Pick<StoredToken, 'lastUsed'>): Record<string, Json> => ({
  id: token.id,
  user: token.owner,
  name: token.name,
  scopes: [...token.scopes],
  projects: [...token.projects],
  created: token.created,
  expires: token.expires,
  last_used: token.lastUsed,
})
