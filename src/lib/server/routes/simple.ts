import type {FastifyInstance, FastifyReply, FastifyRequest} from 'fastify'
import {whenReady} from '../../access/memo.js'
import type {Identity} from '../../access/policy.js'
import type {PageType} from '../../index/index-pages.js'
import type {PageKind} from '../../index/origin.js'
import {legacyProject} from '../../index/pages/legacy-json.js'
import {encodePathSegment} from '../../index/pages/markup.js'
import {normalizeName} from '../../packaging/names.js'
import {denied, identify, sendJson, type Context} from '../context.js'
import {simpleType} from '../http/accept.js'
import {notComplete, notFound, redirect} from '../http/errors.js'
import type {Json} from '../../python-json.js'
import {queryOf} from '../http/parameters.js'
import {reservedNames} from '../http/paths.js'
import {redirectToSlash} from '../http/redirect.js'
import {sendPage} from '../http/send-page.js'

type Request = FastifyRequest<{Params: {project: string; version?: string}}>
type Answer = FastifyReply | Promise<FastifyReply>

/** What pip reads: `/simple/`, `/simple/<project>/` and their other addresses, and the JSON description of a project. */
export function simpleRoutes(app: FastifyInstance, context: Context): void {
  const {address, index, origin, pages, policy} = context
  const get = (url: string, handler: (request: Request, reply: FastifyReply) => Answer) =>
    app.route<{Params: {project: string}}>({method: ['GET', 'HEAD'], url, handler})

  const list = (request: Request, reply: FastifyReply): Answer => {
    const type = typeOf(request)
    return whenReady(identify(context, request), identity =>
      whenReady(policy.changeToken(), token => {
        const visible = async () => policy.visibleProjects(identity, await index.listProjects())
        return whenReady(pages.list(readerOf(identity), type, token, visible), page =>
          sendPage(request, reply, page, type, identity.username === undefined),
        )
      }),
    )
  }

  /** Nothing here waits when login, rights and page are remembered. @param root the way from the page to the root. */
  const project =
    (root: string) =>
    (request: Request, reply: FastifyReply): Answer => {
      const {project: name} = request.params
      // Links are relative: the address that the client sees must be as deep as the page thinks.
      if (isOddlyWritten(request)) throw redirect(`${address.root(request)}${request.url}`)
      const normalized = normalizeName(name)
      const type = typeOf(request)
      return whenReady(identify(context, request), identity =>
        whenReady(policy.can(identity, normalized, 'read'), mayRead =>
          whenReady(pages.project(normalized, type, root), page =>
            page && mayRead
              ? sendPage(request, reply, page, type, identity.username === undefined)
              : elsewhere({name, kind: 'simple', exists: page !== undefined, mayRead, identity}),
          ),
        ),
      )
    }

  const json = async (request: Request, reply: FastifyReply): Promise<FastifyReply> => {
    const {project: name, version} = request.params
    const identity = await identify(context, request)
    const normalized = normalizeName(name)
    const mayRead = await policy.can(identity, normalized, 'read')
    const files = await index.listFiles(normalized)
    if (files.length === 0 || !mayRead) {
      return elsewhere({name, kind: 'json', exists: files.length > 0, mayRead, identity})
    }
    const addressOf = await index.links.addressesOf(files, `${address.root(request)}/`)
    const value = legacyProject(name, files, {addressOf, ...(version !== undefined && {version})})
    if (!value) throw notFound(`${normalized} has no version ${version ?? ''}`)
    void reply.header('cache-control', 'private, no-cache').header('vary', 'Authorization')
    return sendJson(context, reply, value as unknown as Json)
  }

  /** The answer for a name that is not here, or not for this reader. @throws {PpcError} always. */
  async function elsewhere(asked: {
    name: string
    kind: PageKind
    exists: boolean
    mayRead: boolean
    identity: Identity
  }): Promise<never> {
    const {identity, name, mayRead} = asked
    const found = await origin.decide({...asked, loggedIn: identity.username !== undefined})
    switch (found.kind) {
      case 'redirect':
        throw redirect(found.location)
      case 'unauthorized':
        throw denied(context, identity)
      case 'unavailable':
        throw notComplete()
      default:
        throw notFound(mayRead ? 'No packages found' : `No packages found named '${normalizeName(name)}'`)
    }
  }

  const toSlash = redirectToSlash(address)
  for (const base of ['/simple', '/pypi']) {
    get(base, toSlash)
    get(`${base}/`, list)
    get(`${base}/:project`, toSlash)
    get(`${base}/:project/`, project('../../'))
    for (const end of ['', '/']) get(`${base}/:project/json${end}`, json)
  }
  for (const end of ['', '/']) get(`/pypi/:project/:version/json${end}`, json)

  // pypicloud takes every other first segment for a project: /favicon.ico too
  const unlessReserved =
    (handler: typeof list): typeof list =>
    (request, reply) => {
      const name = request.params.project
      if (reservedNames.has(name)) throw notFound(request.url.split('?')[0], 'raised')
      return handler(request, reply)
    }
  get('/:project', unlessReserved(toSlash))
  get('/:project/', unlessReserved(project('../')))
  for (const end of ['', '/']) get(`/:project/json${end}`, unlessReserved(json))

  // Where hatch looks before it publishes
  for (const base of ['', '/simple', '/pypi', '/legacy']) {
    get(`${base}/+simple/:project/`, request => {
      throw redirect(`${address.root(request)}/simple/${encodePathSegment(request.params.project)}/`)
    })
  }
}

/** The same for readers who see the same list. */
const readerOf = ({admin, username}: Identity): string =>
  admin ? 'admin' : username === undefined ? 'anonymous' : `user ${username}`

const typeOf = (request: Request): PageType =>
  simpleType(
    request.headers.accept,
    request.url.includes('?') ? (queryOf(request).get('format') ?? undefined) : undefined,
  )

const isOddlyWritten = (request: Request): boolean =>
  request.originalUrl !== request.url && /\/\/|%2f/i.test(request.originalUrl.split('?')[0] ?? '')
