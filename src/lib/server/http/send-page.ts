import type {FastifyReply, FastifyRequest} from 'fastify'
import type {OutgoingHttpHeaders} from 'node:http'
import type {Encoded, Page, PageType} from '../../index/index-pages.js'
import {acceptsGzip} from './accept.js'
import {matchesEtag} from './conditional.js'

export const contentTypes: Readonly<Record<PageType, string>> = {
  'text/html': 'text/html; charset=UTF-8',
  'application/vnd.pypi.simple.v1+html': 'application/vnd.pypi.simple.v1+html; charset=UTF-8',
  'application/vnd.pypi.simple.v1+json': 'application/vnd.pypi.simple.v1+json',
}
const vary = 'Accept, Accept-Encoding, Authorization, Cookie'

/**
 * Sends a page that is ready, or 304. Clients may keep it but must ask each time: a new release is seen at once.
 * @param open whether anybody may read it.
 */
export function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  page: Page,
  type: PageType,
  open: boolean,
): FastifyReply {
  const {headers} = request
  const gzip = page.gzip && acceptsGzip(headers['accept-encoding']) ? page.gzip : undefined
  const {body, etag} = gzip ?? page
  // A client that has it in the other encoding has it, too.
  const known = headers['if-none-match']
  const kept =
    known === undefined
      ? undefined
      : [etag, page.etag, page.gzip?.etag].find(tag => tag !== undefined && matchesEtag(known, tag))
  void reply
    .header('etag', kept ?? etag)
    .header('vary', vary)
    .header('cache-control', open ? 'no-cache' : 'private, no-cache')
  if (kept !== undefined) return sendNow(request, reply.code(304))
  void reply.header('content-type', contentTypes[type]).header('content-length', body.length)
  if (gzip) void reply.header('content-encoding', 'gzip')
  return sendNow(request, reply, request.method === 'HEAD' ? undefined : (gzip ?? page))
}

/**
 * Hands it to the connection, past what Fastify does with answers that may be anything: that is a quarter of the time
 * that a page takes. Hooks before an answer only concern sessions and changes.
 */
function sendNow({headers}: FastifyRequest, reply: FastifyReply, sent?: Encoded): FastifyReply {
  if (headers.cookie !== undefined) return reply.send(sent?.body ?? null)
  reply.hijack()
  const response = reply.raw
  response.writeHead(reply.statusCode, reply.getHeaders() as OutgoingHttpHeaders)
  if (sent?.latin1 === undefined) response.end(sent?.body)
  else response.end(sent.latin1, 'latin1')
  return reply
}
