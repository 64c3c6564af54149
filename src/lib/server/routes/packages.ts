import type {FastifyReply} from 'fastify'
import {normalizeName} from '../../packaging/names.js'
import {identify, requirePermission, sendEmpty, sendJson, tracked, type Context} from '../context.js'
import {forbidden, HttpError, notComplete} from '../http/errors.js'
import {queryOf} from '../http/parameters.js'
import {packageJson, unixSeconds} from '../package-json.js'
import {noteChange} from '../operation/audit.js'
import {empty, json, note} from '../routing/answers.js'
import {route, type Route, type RouteRequest} from '../routing/route.js'

/** `/api/package/…` but for downloads and uploads: lists, and deletion. */
export function packageRoutes(context: Context): Route[] {
  const {index, policy, cache} = context

  const list = async (request: RouteRequest, reply: FastifyReply) => {
    const identity = await identify(context, request)
    void reply.header('cache-control', 'private, no-cache')
    // As in pypicloud, every value means yes, also `?verbose=0`.
    if ((queryOf(request).get('verbose') ?? '') === '') {
      return sendJson(context, reply, {
        packages: await policy.visibleProjects(identity, await index.listProjects()),
      })
    }
    const summaries = await index.wholeness.whole(() => cache.listSummaries())
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
  }

  const files = async (request: RouteRequest<'project'>, reply: FastifyReply) => {
    const project = normalizeName(request.params.project)
    const identity = await requirePermission(context, request, project, 'read')
    const found = await index.listFiles(project)
    const addressOf = await index.links.addressesOf(found, `${context.address.root(request)}/`)
    void reply.header('cache-control', 'private, no-cache')
    return sendJson(context, reply, {
      packages: found.map(file => packageJson(file, addressOf)),
      write: await policy.can(identity, project, 'write'),
    })
  }

  const remove = async (request: RouteRequest<'project' | 'file'>, reply: FastifyReply) => {
    const project = normalizeName(request.params.project)
    const identity = await requirePermission(context, request, project, 'write', 'delete')
    if (!policy.mayDelete(identity)) throw forbidden('Package deletion is unallowed.')
    const file = await index.findFile(request.params.file)
    if (!file && !(await index.lacks(request.params.file))) throw notComplete()
    if (!file || file.name !== project) throw new HttpError(400, `Could not find ${request.params.file}`)
    noteChange(request, {sha256: file.data.hash_sha256})
    await tracked(context, () => index.remove(file))
    context.log.info({file: file.filename, user: identity.username}, 'deleted')
    return sendEmpty(reply)
  }

  return [
    route({
      about: 'All projects.',
      method: 'GET',
      path: '/api/package/',
      slash: 'added',
      who: 'anybody, filtered',
      arguments: [
        {name: 'verbose', about: 'Anything: with date and summary of each project.', optional: true},
      ],
      answers: {200: json('Their names, or an object each.', 'Projects')},
      handler: list,
    }),
    route({
      about: 'The files of a project, newest first.',
      method: 'GET',
      path: '/api/package/:project/',
      slash: 'added',
      who: 'reader',
      answers: {
        200: json('The files, none for an unknown project, and whether the reader may write.', 'Files'),
      },
      handler: files,
    }),
    route({
      about: 'Deletes a file.',
      method: 'DELETE',
      path: '/api/package/:project/:file',
      audit: 'file.delete',
      who: 'writer',
      answers: {200: empty('It is deleted.'), 400: note('The project has no such file.')},
      handler: remove,
    }),
  ]
}
