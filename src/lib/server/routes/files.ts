import type {FastifyReply} from 'fastify'
import type {Config} from '../../config/config.js'
import {deleteGroups, overwriteGroups} from '../../config/derived.js'
import {normalizeName} from '../../packaging/names.js'
import {isQuarantined} from '../../index/project-facts.js'
import {metadataType, provenanceType, sendBeside, sendMetadata, splitBeside} from '../beside-files.js'
import {requirePermission, type Context} from '../context.js'
import {matchesEtag, notModifiedSince, parseRange, rangeStillValid} from '../http/conditional.js'
import {Redirects} from '../delivery.js'
import {fetchCopy, fetchMetadata} from '../upstream-files.js'
import {forbidden, HttpError, notComplete, notFound} from '../http/errors.js'
import {sendBytes} from '../http/send-bytes.js'
import {bare, bytes, note} from '../routing/answers.js'
import {route, type Route, type RouteRequest} from '../routing/route.js'

/**
 * Downloads: `/api/package/<project>/<file>`, with ranges and conditions (RFC 9110). Where the storage has links, a
 * plain GET is sent there; HEAD, ranges and conditions are answered here, since signed links are good for GET alone.
 */
export function fileRoutes(context: Context): Route[] {
  const cacheControl = cacheControlOfFiles(context.config)
  const {downloads, index} = context
  const redirects = new Redirects(context)

  const send = async (request: RouteRequest<'project' | 'file'>, reply: FastifyReply) => {
    const project = normalizeName(request.params.project)
    const identity = await requirePermission(context, request, project, 'read')
    const {filename, ending} = splitBeside(request.params.file)
    // The rights that were checked are those of the project in the URL: no other project's file leaves by it.
    const here = await index.findFile(filename)
    if (!here && ending === '.metadata') {
      const bytes = await fetchMetadata(context, identity, {project, filename})
      if (bytes) return sendMetadata(request, reply, bytes)
    }
    const file = here ?? (ending ? undefined : await fetchCopy(context, identity, {project, filename}))
    if (!file) throw (await index.lacks(filename)) ? notFound() : notComplete()
    if (file.name !== project) throw notFound()
    if (isQuarantined(await index.projectNotes.of(project))) throw forbidden(`${project} is quarantined`)
    if (ending) return sendBeside(context, request, reply, {file, ending})

    const {headers} = request
    const isGet = request.method === 'GET'
    const mayRedirect = isGet && headers.range === undefined
    const isConditional = headers['if-none-match'] !== undefined || headers['if-modified-since'] !== undefined
    if (mayRedirect && !isConditional) await redirects.follow(file)

    const download = await downloads.find(file)
    const {size, modified} = download
    const etag = `"${download.etag}"`
    const describe = () =>
      void reply
        .header('etag', etag)
        .header('last-modified', modified.toUTCString())
        .header('accept-ranges', 'bytes')
        .header('cache-control', cacheControl)
    const unchanged =
      headers['if-none-match'] === undefined
        ? notModifiedSince(headers['if-modified-since'], modified)
        : matchesEtag(headers['if-none-match'], etag)
    if (unchanged) {
      describe()
      return reply.code(304).send()
    }
    if (mayRedirect) await redirects.follow(file)

    const range = rangeStillValid(headers['if-range']?.toString(), etag, modified)
      ? parseRange(headers.range, size)
      : undefined
    if (range === 'none') {
      throw new HttpError(416, '', {headers: {'content-range': `bytes */${size}`, 'accept-ranges': 'bytes'}})
    }
    const length = range ? range.end - range.start + 1 : size
    // Before any header: what fails here is answered like every other error.
    const source = isGet && length > 0 ? await download.open(range) : undefined
    describe()
    void reply
      .type('application/octet-stream')
      .header('x-content-type-options', 'nosniff')
      .header('content-length', length)
    if (context.config.core.streamFiles || !here) {
      void reply.header(
        'content-disposition',
        `attachment; filename="${file.filename.replace(/["\\]|[^ -~]/g, '_')}"`,
      )
    }
    if (range) void reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${size}`)
    if (!source) return reply.send(isGet ? '' : null)
    return sendBytes(reply, source, {start: range?.start ?? 0, length}, error =>
      context.log.warn({err: error, file: file.filename}, 'a download broke off'),
    )
  }
  return [
    route({
      about:
        'Downloads a file, or a part of it; with .metadata behind its name, what a wheel says of itself; with .provenance, what attests the file.',
      method: 'GET',
      path: '/api/package/:project/:file',
      who: 'reader',
      answers: {
        200: {
          about: 'The file, or what is said of it.',
          types: ['application/octet-stream', metadataType, provenanceType],
        },
        206: bytes('The part that Range asks for.'),
        302: note('The storage has it: go there.'),
        304: bare('It is what the client has.'),
        403: note('The project is quarantined.'),
        404: note('The project has no such file.'),
        416: note('The file has no such part.'),
      },
      handler: send,
    }),
  ]
}

/** RULES 37. Never public: the project may be closed tomorrow. */
function cacheControlOfFiles({core, settings}: Config): string {
  if (settings.has('pypi.package_max_age')) return `private, max-age=${core.packageMaxAge}`
  if (overwriteGroups(core).length > 0) return 'private, no-cache'
  const deletable = deleteGroups(core).length > 0
  return deletable ? 'private, max-age=600' : 'private, max-age=31536000, immutable'
}
