import type {FastifyReply, FastifyRequest} from 'fastify'
import type {Logger} from 'pino'
import type {Access, AccessWriter, Permission} from '../access/access.js'
import type {TokenScope} from '../access/api-tokens/api-token.js'
import {whenReady} from '../access/memo.js'
import {anonymous, type Identity} from '../access/identity.js'
import type {AccessPolicy} from '../access/policy.js'
import type {Backends} from '../backends.js'
import type {Config} from '../config/config.js'
import type {Downloads} from '../index/downloads.js'
import type {IndexPages} from '../index/index-pages.js'
import type {OriginPolicy} from '../index/origin.js'
import type {PackageIndex} from '../index/package-index.js'
import type {UpstreamServices} from './upstream.js'
import type {PublicAddress} from './http/address.js'
import type {PpcError} from '../errors.js'
import {basicCredentials} from './http/basic.js'
import {tokenIn} from './http/bearer.js'
import {forbidden, HttpError, notFound, unauthorized} from './http/errors.js'
import {formatJson, type Json} from '../python-json.js'
import {sendJsonText} from './http/json.js'
import type {RequestIds} from './http/request-ids.js'
import {auditFailedLogin, noteChange} from './operation/audit.js'
import type {AuditLog} from '../audit-log.js'
import type {Answered} from './logging.js'
import type {Limits} from './operation/limits.js'
import type {Metrics} from './operation/metrics.js'
import type {Readiness} from './operation/readiness.js'
import type {Sessions} from './sessions/sessions.js'
import {tokenUser} from '../access/api-tokens/token-text.js'
import {refusalOf, slowedBy} from './slowed.js'

/** What the routes share. */
export interface Context extends Backends {
  readonly config: Config
  readonly policy: AccessPolicy
  readonly index: PackageIndex
  readonly downloads: Downloads
  readonly pages: IndexPages
  readonly origin: OriginPolicy
  /** Undefined where the config asks for no pages and files of the upstream. */
  readonly upstream: UpstreamServices | undefined
  readonly address: PublicAddress
  /** The id of a request: the one that came with it, or a new one. */
  readonly requestId: RequestIds
  readonly logRequest: (answered: Answered) => void
  readonly sessions: Sessions
  readonly log: Logger
  /** Without `audit.file`: none. */
  readonly audit?: AuditLog | undefined
  readonly metrics?: Metrics | undefined
  readonly limits: Limits
  readonly readiness: Readiness
  /** Changes that are under way. They outlive their connection: backends are closed after them. */
  readonly running: Set<Promise<unknown>>
  /** Aborted when the server ends: for work that may take longer than one wants to wait. */
  readonly stopping: AbortSignal
}

/**
 * Who asks: by an API token or Basic credentials, else by the cookie of a session. Wrong ones count as none: public pages
 * still answer. No promise when the login is remembered.
 * @throws {HttpError} 403 for a change by cookie without its CSRF token
 */
export function identify(context: Context, request: FastifyRequest): Identity | Promise<Identity> {
  const {authorization, cookie} = request.headers
  const known = authorization === undefined ? undefined : context.policy.recall(authorization)
  if (known) return remembered(context, request, known)
  const credentials = authorization === undefined ? undefined : basicCredentials(authorization)
  const token = authorization === undefined ? undefined : tokenIn(authorization, credentials)
  const {policy, address, sessions} = context
  if (token !== undefined) {
    return whoHas(context, request, tokenUser, policy.authenticateToken(token, address.client(request)))
  }
  if (credentials) {
    const {username, password} = credentials
    return whoHas(
      context,
      request,
      username,
      policy.authenticate(username, password, address.client(request), authorization),
    )
  }
  if (cookie === undefined) return anonymous
  return whenReady(sessions.identify(request), identity => remembered(context, request, identity))
}

/** @param username as it was sent. @param found nobody, where the password is wrong. */
function whoHas(
  context: Context,
  request: FastifyRequest,
  username: string,
  found: Identity | undefined | Promise<Identity | undefined>,
): Identity | Promise<Identity> {
  const known = (identity: Identity | undefined): Identity => {
    if (!identity) failedLogin(context, request, username)
    return remembered(context, request, identity)
  }
  return found instanceof Promise ? found.then(known, slowedBy) : known(found)
}

/** @throws {HttpError} 429 when the user has asked too often. */
function remembered(context: Context, request: FastifyRequest, identity: Identity = anonymous): Identity {
  const {username} = identity
  if (username !== undefined && request.username === null) {
    request.username = username
    if (identity.limits) noteChange(request, {token: identity.limits.tokenId})
    context.limits.takeUser(username)
  }
  return identity
}

function failedLogin(context: Context, request: FastifyRequest, username: string): void {
  context.metrics?.loginFailed()
  auditFailedLogin(context, request, username)
}

/** The error for somebody without a right: a login is asked for where there was none, or patience. */
export function denied(context: Context, identity: Identity): PpcError {
  if (identity.username !== undefined) return forbidden()
  return refusalOf(identity) ?? unauthorized(context.config.core.realm)
}

/** @throws {HttpError} 401 or 403. */
export async function requireAdmin(context: Context, request: FastifyRequest): Promise<Identity> {
  const identity = await identify(context, request)
  if (!identity.admin) throw denied(context, identity)
  return identity
}

/**
 * @param project normalised
 * @param scope what an API token needs for it, if not what is usual for the permission
 * @throws {HttpError} 401 or 403
 */
export async function requirePermission(
  context: Context,
  request: FastifyRequest,
  project: string,
  permission: Permission,
  scope?: TokenScope,
): Promise<Identity> {
  const identity = await identify(context, request)
  if (!(await context.policy.can(identity, project, permission, scope))) throw denied(context, identity)
  return identity
}

/** The router takes a missing last segment for an empty one. @throws {HttpError} 404. */
export function requireSegments(request: FastifyRequest): void {
  const params = request.params as Readonly<Record<string, string>>
  for (const name in params) if (params[name] === '') throw notFound(request.url.split('?')[0], 'raised')
}

/** @throws {HttpError} 400: pypicloud answers 500 here. */
export function requireWriter(access: Access): AccessWriter {
  if (!access.writer) {
    throw new HttpError(400, `Users and rights are not changed here but in ${access.name}`, {form: 'raised'})
  }
  return access.writer
}

/** Does `work`, which the end of the server waits for. */
export async function tracked<T>({running}: Context, work: () => Promise<T>): Promise<T> {
  const working = work()
  running.add(working)
  try {
    return await working
  } finally {
    running.delete(working)
  }
}

/** `pyramid.reload_templates` indents all JSON, as in pypicloud. */
export const jsonText = ({config}: Context, value: Json): string =>
  formatJson(value, config.core.reloadTemplates ? 4 : undefined)

export const sendJson = (context: Context, reply: FastifyReply, value: Json): FastifyReply =>
  sendJsonText(reply, jsonText(context, value))

/** pypicloud's answer to a change that worked. */
export const sendEmpty = (reply: FastifyReply): FastifyReply =>
  reply.type('text/html; charset=UTF-8').send('')
