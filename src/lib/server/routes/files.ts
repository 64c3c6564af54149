import type {FastifyInstance, FastifyReply, FastifyRequest} from 'fastify'
import {ObjectMissing} from '../../storage/storage.js'
import type {Config} from '../../config/config.js'
import {deleteGroups, overwriteGroups} from '../../config/derived.js'
import {normalizeName} from '../../packaging/names.js'
import {requirePermission, type Context} from '../context.js'
import {matchesEtag, notModifiedSince, parseRange, rangeStillValid} from '../http/conditional.js'
import {HttpError, notComplete, notFound} from '../http/errors.js'

type Request = FastifyRequest<{Params: {project: string; file: string}}>

/** Downloads: `/api/package/<project>/<file>`, with ranges and conditions (RFC 9110). */
export function fileRoutes(app: FastifyInstance, context: Context): void {
  const cacheControl = cacheControlOfFiles(context.config)
  const {index} = context

  const download = async (request: Request, reply: FastifyReply) => {
    const project = normalizeName(request.params.project)
    await requirePermission(context, request, project, 'read')
    const file = await index.findFile(request.params.file)
    // The rights that were checked are those of the project in the URL: no other project's file leaves by it.
    if (!file) throw (await context.origin.knowsAll()) ? notFound() : notComplete()
    if (file.name !== project) throw notFound()

    const {size, modified, fingerprint} = await index.statFile(file).catch((error: unknown) => {
      throw error instanceof ObjectMissing ? notFound() : error
    })
    const etag = `"${file.data.hash_sha256 ?? Buffer.from(fingerprint).toString('base64url')}"`
    void reply
      .header('etag', etag)
      .header('last-modified', modified.toUTCString())
      .header('accept-ranges', 'bytes')
      .header('cache-control', cacheControl)
    const {headers} = request
    const unchanged =
      headers['if-none-match'] === undefined
        ? notModifiedSince(headers['if-modified-since'], modified)
        : matchesEtag(headers['if-none-match'], etag)
    if (unchanged) return reply.code(304).send()

    void reply.type('application/octet-stream').header('x-content-type-options', 'nosniff')
    if (context.config.core.streamFiles) {
      void reply.header(
        'content-disposition',
        `attachment; filename="${file.filename.replace(/["\\]|[^ -~]/g, '_')}"`,
      )
    }
    const range = rangeStillValid(headers['if-range']?.toString(), etag, modified)
      ? parseRange(headers.range, size)
      : undefined
    if (range === 'none') {
      throw new HttpError(416, '', {headers: {'content-range': `bytes */${size}`}})
    }
    const length = range ? range.end - range.start + 1 : size
    if (range) void reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${size}`)
    void reply.header('content-length', length)
    if (request.method === 'HEAD' || length === 0) return reply.send(request.method === 'HEAD' ? null : '')
    return reply.send(await index.openFile(file, range))
  }
  for (const end of ['', '/']) {
    app.route({method: ['GET', 'HEAD'], url: `/api/package/:project/:file${end}`, handler: download})
  }
}

/** RULES 37. Never public: the project may be closed tomorrow. */
function cacheControlOfFiles({core, settings}: Config): string {
  if (settings.has('pypi.package_max_age')) return `private, max-age=${core.packageMaxAge}`
  if (overwriteGroups(core).length > 0) return 'private, no-cache'
  const deletable = deleteGroups(core).length > 0
  return deletable ? 'private, max-age=600' : 'private, max-age=31536000, immutable'
}
