import type {FastifyReply, FastifyRequest} from 'fastify'
import {whenReady} from '../../access/memo.js'
import type {Identity} from '../../access/identity.js'
import type {Page, PageType} from '../../index/index-pages.js'
import type {Origin, PageRequest} from '../../index/origin.js'
import {
  legacyProject,
  legacyReleases,
  shownFiles,
  type LegacyReleases,
} from '../../index/pages/legacy-json.js'
import {parseCoreMetadata, type CoreMetadata} from '../../packaging/metadata.js'
import {normalizeName} from '../../packaging/names.js'
import {denied, identify, sendJson, type Context} from '../context.js'
import {simpleType} from '../http/accept.js'
import {notComplete, notFound, redirect} from '../http/errors.js'
import type {Json} from '../../python-json.js'
import {queryOf} from '../http/parameters.js'
import {reservedNames} from '../http/paths.js'
import {redirectToSlash} from '../http/redirect.js'
import {contentTypes, sendPage} from '../http/send-page.js'
import {bare, json as jsonAnswer, note, type Answer} from '../routing/answers.js'
import {tellAge} from '../upstream.js'
import {route, type Argument, type Route, type RouteRequest} from '../routing/route.js'

type Request = FastifyRequest<{Params: {project: string; version?: string}}>
type Reply = FastifyReply | Promise<FastifyReply>
/** What is shown: what is here, or what the upstream has too. */
type Answerer = 'local' | Pick<Extract<Origin, {kind: 'upstream'}>, 'links'>

/** What pip reads: `/simple/`, `/simple/<project>/` and their other addresses, and the JSON description of a project. */
export function simpleRoutes(context: Context): Route[] {
  const {address, index, origin, pages, policy, upstream} = context

  const list = (request: RouteRequest, reply: FastifyReply): Reply => {
    const type = typeOf(request)
    return whenReady(identify(context, request), identity =>
      whenReady(policy.changeToken(), token => {
        const visible = async () => policy.visibleProjects(identity, await index.listProjects())
        return whenReady(pages.list(readerOf(identity), type, token, visible), page =>
          sendPage(request, reply, {page, type, open: identity.username === undefined}),
        )
      }),
    )
  }

  /** Nothing here waits when login, rights and page are remembered. @param root the way from the page to the root. */
  const project =
    (root: string) =>
    (request: Request, reply: FastifyReply): Reply => {
      const {project: name} = request.params
      // Links are relative: the address that the client sees must be as deep as the page thinks.
      if (isOddlyWritten(request)) throw redirect(`${address.root(request)}${request.url}`)
      const normalized = normalizeName(name)
      const type = typeOf(request)
      const place = {root, address: () => `${address.root(request)}/`}
      return whenReady(identify(context, request), identity =>
        whenReady(policy.can(identity, normalized, 'read'), mayRead =>
          whenReady(pages.project(normalized, type, place), page => {
            const send = (ready: Page) =>
              sendPage(request, reply, {page: ready, type, open: identity.username === undefined})
            if (page && mayRead && !origin.mixes) return send(page)
            const exists = page !== undefined
            return whenReady(decide({name, kind: 'simple', exists, mayRead, identity}), async answerer => {
              const mixed =
                answerer === 'local'
                  ? undefined
                  : await upstream?.pages.page(normalized, type, {...place, links: answerer.links})
              if (mixed) tellAge(reply, mixed)
              const shown = answerer === 'local' ? page : mixed?.page
              if (!shown) throw notFound('No packages found')
              return send(shown)
            })
          }),
        ),
      )
    }

  const json = async (request: Request, reply: FastifyReply): Promise<FastifyReply> => {
    const {project: name, version} = request.params
    const identity = await identify(context, request)
    const normalized = normalizeName(name)
    const mayRead = await policy.can(identity, normalized, 'read')
    const root = `${address.root(request)}/`
    let detail = await pages.detail(normalized, root)
    if (!detail || !mayRead || origin.mixes) {
      const answerer = await decide({name, kind: 'json', exists: detail !== undefined, mayRead, identity})
      if (answerer !== 'local') {
        const mixed = await upstream?.pages.detail(normalized, {root, links: answerer.links})
        if (mixed) tellAge(reply, mixed)
        detail = mixed?.detail
      }
    }
    if (!detail) throw notFound('No packages found')
    const releases = legacyReleases(detail, version)
    if (!releases) throw notFound(`${normalized} has no version ${version ?? ''}`)
    const value = legacyProject(name, releases, await metadataOf(releases))
    void reply.header('cache-control', 'private, no-cache').header('vary', 'Authorization, Cookie')
    return sendJson(context, reply, value as unknown as Json)
  }

  /** Of a wheel of the release that is described, where there is one that can be read now. */
  async function metadataOf(releases: LegacyReleases): Promise<CoreMetadata | undefined> {
    const wheel = shownFiles(releases).find(({filename}) => filename.endsWith('.whl'))
    const file = wheel && (await index.findFile(wheel.filename))
    if (!file) return undefined
    const found = await index.coreMetadata.of(file).catch(() => undefined)
    return found && parseCoreMetadata(found.bytes)
  }

  /**
   * Who answers for a name that is not here, or not for this reader, or not alone.
   * @throws {PpcError} when nobody does, or the client is sent elsewhere.
   */
  async function decide({
    identity,
    ...asked
  }: Pick<PageRequest, 'name' | 'kind' | 'exists' | 'mayRead'> & {identity: Identity}): Promise<Answerer> {
    const found = await origin.decide({
      ...asked,
      loggedIn: identity.username !== undefined,
      mayUpdate: policy.mayStoreCopies(identity, normalizeName(asked.name)),
    })
    switch (found.kind) {
      case 'local':
        return 'local'
      case 'upstream':
        return found
      case 'redirect':
        throw redirect(found.location)
      case 'unauthorized':
        throw denied(context, identity)
      case 'unavailable':
        throw notComplete()
      case 'notFound':
        throw notFound(`No packages found${found.isDenied ? ` named '${normalizeName(asked.name)}'` : ''}`)
    }
  }

  // pypicloud takes every other first segment for a project: /favicon.ico too
  const unlessReserved =
    <R>(handler: (request: Request, reply: FastifyReply) => R) =>
    (request: Request, reply: FastifyReply): R => {
      const name = request.params.project
      if (reservedNames.has(name)) throw notFound(request.url.split('?')[0], 'raised')
      return handler(request, reply)
    }

  return [
    route({
      about: 'All projects, as pip reads them.',
      method: 'GET',
      path: ['/simple/', '/pypi/'],
      slash: 'added',
      who: 'anybody, filtered',
      arguments: [format],
      answers: {200: simplePage('The projects.'), 304: bare('They are what the client has.')},
      handler: list,
    }),
    route({
      about: 'The files of a project, as pip reads them.',
      method: 'GET',
      path: ['/simple/:project/', '/pypi/:project/'],
      slash: 'added',
      who: 'anybody, filtered',
      arguments: [format],
      answers: projectAnswers,
      handler: project('../../'),
    }),
    route({
      about: 'The description of a project and its releases, the newest as its main one.',
      method: 'GET',
      path: ['/pypi/:project/json', '/simple/:project/json'],
      who: 'anybody, filtered',
      answers: jsonAnswers,
      handler: json,
    }),
    route({
      about: 'The description of a project with that release as its main one.',
      method: 'GET',
      path: '/pypi/:project/:version/json',
      who: 'anybody, filtered',
      answers: jsonAnswers,
      handler: json,
    }),
    route({
      about: 'To the page of a project.',
      method: 'GET',
      path: '/:project',
      slash: 'exact',
      who: 'anybody',
      answers: {302: note('The address with a slash at its end.'), 404: note('No project has this name.')},
      handler: unlessReserved(redirectToSlash(address)),
    }),
    route({
      about: 'The files of a project: /simple/:project/ is the address to use.',
      method: 'GET',
      path: '/:project/',
      slash: 'exact',
      who: 'anybody, filtered',
      arguments: [format],
      answers: projectAnswers,
      handler: unlessReserved(project('../')),
    }),
    route({
      about: 'The description of a project: /pypi/:project/json is the address to use.',
      method: 'GET',
      path: '/:project/json',
      who: 'anybody, filtered',
      answers: jsonAnswers,
      handler: unlessReserved(json),
    }),
    // hatch looks there before it publishes, and follows no redirects
    route({
      about: 'The files of a project, where hatch looks whose upload address is the root.',
      method: 'GET',
      path: '/+simple/:project/',
      slash: 'exact',
      who: 'anybody, filtered',
      answers: projectAnswers,
      handler: project('../../'),
    }),
    route({
      about: 'The same for the other upload addresses.',
      method: 'GET',
      path: ['/simple/+simple/:project/', '/pypi/+simple/:project/', '/legacy/+simple/:project/'],
      slash: 'exact',
      who: 'anybody, filtered',
      answers: projectAnswers,
      handler: project('../../../'),
    }),
  ]
}

const format: Argument = {
  name: 'format',
  about: 'The content type wanted, for clients that can not send Accept.',
  optional: true,
}
const simplePage = (about: string): Answer => ({about, types: Object.values(contentTypes)})
const projectAnswers = {
  200: simplePage('The files.'),
  302: note('The upstream index has the project.'),
  304: bare('The page is what the client has.'),
  401: note('The reader may not see it, and is not logged in.'),
  404: note('No such project here.'),
}
const jsonAnswers = {
  200: jsonAnswer('The project.', 'LegacyProject'),
  302: note('The upstream index has the project.'),
  401: note('The reader may not see it, and is not logged in.'),
  404: note('No such project here, or no such version.'),
}

/** The same for readers who see the same list. */
const readerOf = ({admin, username, limits}: Identity): string => {
  if (limits) return `token ${limits.key}`
  return admin ? 'admin' : username === undefined ? 'anonymous' : `user ${username}`
}

const typeOf = (request: FastifyRequest): PageType =>
  simpleType(
    request.headers.accept,
    request.url.includes('?') ? (queryOf(request).get('format') ?? undefined) : undefined,
  )

const isOddlyWritten = (request: Request): boolean =>
  request.originalUrl !== request.url && /\/\/|%2f/i.test(request.originalUrl.split('?')[0] ?? '')
