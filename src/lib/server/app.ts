import fastify, {LogController, type FastifyInstance, type FastifyReply, type FastifyRequest} from 'fastify'
import {pino, type Logger} from 'pino'
import {AccessPolicy} from '../access/policy.js'
import type {SlowDown} from '../access/slow-down.js'
import type {Backends} from '../backends.js'
import type {Config} from '../config/config.js'
import {operationFields} from '../config/schema/operation.js'
import {Downloads} from '../index/downloads.js'
import {IndexPages} from '../index/index-pages.js'
import {OriginPolicy} from '../index/origin.js'
import {PackageIndex} from '../index/package-index.js'
import type {DiskCache} from '../storage/disk-cache/disk-cache.js'
import {PackageStorage} from '../storage/package-storage.js'
import {jsonText, type Context} from './context.js'
import {publicAddress} from './http/address.js'
import {describe, HttpError, notFound, sendError} from './http/errors.js'
import {drain} from './http/form.js'
import {canonicalUrl, mountPathOf} from './http/paths.js'
import {requireSameSite} from './http/same-site.js'
import {requestIds} from './http/request-ids.js'
import {logRequests, requestLog} from './logging.js'
import {auditChanges} from './operation/audit.js'
import type {AuditLog} from '../audit-log.js'
import {limitAddresses, Limits} from './operation/limits.js'
import type {Metrics} from './operation/metrics.js'
import {Readiness} from './operation/readiness.js'
import {Sessions} from './sessions/sessions.js'
import {upstreamServices} from './upstream.js'
import {registerRoutes} from './routing/register.js'
import {routeTable} from './route-table.js'

export interface AppParts extends Backends {
  readonly config: Config
  /** In front of the storage. Whoever opened it closes it. */
  readonly diskCache?: DiskCache | undefined
  /** Default: silent. */
  readonly logger?: Logger
  /** Of the process. Default: one of its own. */
  readonly slowDown?: SlowDown | undefined
  /** Default: changes are not recorded. */
  readonly audit?: AuditLog | undefined
  /** Default: nothing is counted. */
  readonly metrics?: Metrics | undefined
  /** Aborted when the server ends. Default: never. */
  readonly stopping?: AbortSignal
}

/** The HTTP server over opened backends, not listening. Whoever opened them closes them, after `app.close()`. */
export const createApp = (parts: AppParts): FastifyInstance => appOf(createContext(parts))

export function createContext(parts: AppParts): Context {
  const {config} = parts
  const log = parts.logger ?? pino({level: 'silent'})
  const index = new PackageIndex(parts)
  const stopping = parts.stopping ?? new AbortController().signal
  const policy = new AccessPolicy(parts.access, config, {
    slowDown: parts.slowDown,
    onUnusableAccount: (user, problem) => log.warn({user, problem}, 'nobody can log in under this name'),
    onUpgradeFailed: (user, error) =>
      log.warn({user, err: error}, 'a better hash of a password was not stored'),
  })
  const pages = new IndexPages({index, cache: parts.cache})
  const origin = new OriginPolicy({...parts, notes: index.notes, wholeness: index.wholeness})
  const address = publicAddress(config, proxy =>
    log.warn(
      {proxy},
      'X-Forwarded-For is ignored: wrong passwords of one client behind this proxy slow all others down. If it is yours, list it in pypi.trusted_proxies',
    ),
  )
  return {
    ...parts,
    policy,
    sessions: new Sessions(policy, parts.cache, config),
    index,
    downloads: new Downloads({index, storage: new PackageStorage(parts.storage), diskCache: parts.diskCache}),
    pages,
    origin,
    upstream: upstreamServices({...parts, index, pages, origin}, log),
    address,
    requestId: requestIds(),
    logRequest: requestLog(log, address),
    log,
    running: new Set(),
    limits: new Limits(config.read(operationFields)),
    readiness: new Readiness(parts, stopping),
    stopping,
  }
}

export function appOf(context: Context): FastifyInstance {
  const {config} = context
  const mountPath = mountPathOf(config)
  const app = fastify({
    logController: new QuietController(context.log),
    rewriteUrl: request => canonicalUrl(request.url ?? '/', mountPath),
    routerOptions: {maxParamLength: 4096},
    exposeHeadRoutes: false, // our routes answer HEAD themselves, without opening files
    requestIdHeader: false,
    genReqId: context.requestId,
    return503OnClosing: false, // what was accepted is answered
    frameworkErrors: (_error, request, reply) =>
      void sendError(request, reply, new HttpError(400, 'The path can not be read'), value =>
        jsonText(context, value),
      ),
  })
  // Bodies are read by the routes, after the rights are checked.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))

  app.decorateRequest('username', null)
  app.decorateRequest('audited', null)
  app.addHook('onRequest', (request, reply, done) => {
    const {method} = request
    void reply.header('x-request-id', request.id)
    if (method === 'GET' || method === 'HEAD') {
      done()
      return
    }
    try {
      requireSameSite(request, context.address)
      done()
    } catch (error) {
      done(error as Error)
    }
  })
  if (context.sessions.areRenewed) {
    app.addHook('onSend', (request, reply, _payload, done) => {
      context.sessions.keepAlive(request, reply)
      done()
    })
  }
  app.addHook('onClose', (_app, done) => {
    context.sessions[Symbol.dispose]()
    done()
  })
  limitAddresses(app, context)
  auditChanges(app, context)
  context.metrics?.watch(app, context.readiness)
  logRequests(app, context.logRequest)
  app.addHook('onClose', () => context.upstream?.index[Symbol.asyncDispose]())

  const answerError = (request: FastifyRequest, reply: FastifyReply, error: unknown) => {
    const {status} = describe(error)
    if (status >= 500) {
      context.log.error(
        {err: error, request: request.id, method: request.method, path: request.url.split('?')[0]},
        'request failed',
      )
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') drain(request.raw)
    return sendError(request, reply, error, value => jsonText(context, value))
  }
  app.setErrorHandler((error, request, reply) => answerError(request, reply, error))
  app.setNotFoundHandler((request, reply) => answerError(request, reply, notFound(pathOf(request), 'raised')))

  registerRoutes(app, context, routeTable(context))
  return app
}

function pathOf(request: FastifyRequest): string {
  try {
    return decodeURIComponent(request.url.split('?')[0] ?? '')
  } catch {
    return ''
  }
}

/** Fastify's own lines would cost two writes a request; only broken answers are worth one. */
class QuietController extends LogController {
  constructor(private readonly log: Logger) {
    super({disableRequestLogging: true})
  }
  override streamError(error: Error, request: FastifyRequest): void {
    this.log.warn(
      {request: request.id, path: request.url.split('?')[0], reason: error.message},
      'an answer was not sent to its end',
    )
  }
}
