import type {FastifyInstance, FastifyReply, FastifyRequest} from 'fastify'
import {normalizeName} from '../../packaging/names.js'
import {
  identify,
  requirePermission,
  requireSegments,
  sendEmpty,
  sendJson,
  tracked,
  type Context,
} from '../context.js'
import {forbidden, HttpError} from '../http/errors.js'
import {queryOf} from '../http/parameters.js'
import {packageJson, unixSeconds} from '../package-json.js'
import {redirectToSlash} from '../http/redirect.js'

/** `/api/package/…` but for downloads and uploads: lists, and deletion. */
export function packageRoutes(app: FastifyInstance, context: Context): void {
  const {index, policy, cache} = context
  const get = ['GET', 'HEAD']

  app.route({
    method: get,
    url: '/api/package/',
    handler: async (request, reply) => {
      const identity = await identify(context, request)
      void reply.header('cache-control', 'private, no-cache')
      // As in pypicloud, every value means yes, also `?verbose=0`.
      if ((queryOf(request).get('verbose') ?? '') === '') {
        return sendJson(context, reply, {
          packages: await policy.visibleProjects(identity, await index.listProjects()),
        })
      }
      const summaries = await cache.listSummaries()
      const visible = new Set(
        await policy.visibleProjects(
          identity,
          summaries.map(({name}) => name),
        ),
      )
      return sendJson(context, reply, {
        packages: summaries
          .filter(({name}) => visible.has(name))
          .map(({name, lastModified, summary}) => ({
            name,
            last_modified: unixSeconds(lastModified),
            summary,
          })),
      })
    },
  })
  app.route<{Params: {project: string}}>({
    method: get,
    url: '/api/package/:project/',
    handler: async (request, reply) => {
      const project = normalizeName(request.params.project)
      const identity = await requirePermission(context, request, project, 'read')
      const files = await index.listFiles(project)
      const addressOf = await index.links.addressesOf(files, `${context.address.root(request)}/`)
      void reply.header('cache-control', 'private, no-cache')
      return sendJson(context, reply, {
        packages: files.map(file => packageJson(file, addressOf)),
        write: await policy.can(identity, project, 'write'),
      })
    },
  })
  for (const path of ['/api/package', '/api/package/:project']) {
    app.route({method: get, url: path, handler: redirectToSlash(context.address)})
  }

  const remove = async (
    request: FastifyRequest<{Params: {project: string; file: string}}>,
    reply: FastifyReply,
  ) => {
    requireSegments(request)
    const project = normalizeName(request.params.project)
    const identity = await requirePermission(context, request, project, 'write')
    if (!policy.mayDelete(identity)) throw forbidden('Package deletion is unallowed.')
    const file = await index.findFile(request.params.file)
    if (!file || file.name !== project) throw new HttpError(400, `Could not find ${request.params.file}`)
    await tracked(context, () => index.remove(file))
    context.log.info({file: file.filename, user: identity.username}, 'deleted')
    return sendEmpty(reply)
  }
  for (const end of ['', '/']) app.delete(`/api/package/:project/:file${end}`, remove)
}
