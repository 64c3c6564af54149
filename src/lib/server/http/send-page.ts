import type {FastifyReply, FastifyRequest} from 'fastify'
import type {IncomingHttpHeaders, OutgoingHttpHeaders} from 'node:http'
import type {Encoded, Page, PageType} from '../../index/index-pages.js'
import {acceptsGzip} from './accept.js'
import {matchesEtag} from './conditional.js'

export const contentTypes: Readonly<Record<PageType, string>> = {
  'text/html': 'text/html; charset=UTF-8',
  'application/vnd.pypi.simple.v1+html': 'application/vnd.pypi.simple.v1+html; charset=UTF-8',
  'application/vnd.pypi.simple.v1+json': 'application/vnd.pypi.simple.v1+json',
}
const vary = 'Accept, Accept-Encoding, Authorization, Cookie'

/** A page, and what a client should know of it. */
export interface ShownPage {
  readonly page: Page
  readonly type: PageType
  /** Whether anybody may read it. */
  readonly open: boolean
}

/** What a client with these headers gets. Without `sent`, what it has is still right. */
export interface PageAnswer {
  readonly status: 200 | 304
  readonly headers: OutgoingHttpHeaders
  readonly sent?: Encoded
}

/** A page that is ready, or 304. Clients may keep it but must ask each time: a new release is seen at once. */
export function answerOf(headers: IncomingHttpHeaders, {page, type, open}: ShownPage): PageAnswer {
  const gzip = page.gzip && acceptsGzip(headers['accept-encoding']) ? page.gzip : undefined
  const sent = gzip ?? page
  // A client that has it in the other encoding has it, too.
  const known = headers['if-none-match']
  const kept =
    known === undefined
      ? undefined
      : [sent.etag, page.etag, page.gzip?.etag].find(tag => tag !== undefined && matchesEtag(known, tag))
  const caching = open ? 'no-cache' : 'private, no-cache'
  if (kept !== undefined) return {status: 304, headers: {etag: kept, vary, 'cache-control': caching}}
  const answered: OutgoingHttpHeaders = {
    etag: sent.etag,
    vary,
    'cache-control': caching,
    'content-type': contentTypes[type],
    'content-length': sent.body.length,
  }
  if (gzip) answered['content-encoding'] = 'gzip' // spreading objects would take longer than all the rest
  return {status: 200, headers: answered, sent}
}

export function sendPage(request: FastifyRequest, reply: FastifyReply, shown: ShownPage): FastifyReply {
  const {status, headers, sent} = answerOf(request.headers, shown)
  void reply.code(status).headers(headers)
  return reply.send(request.method === 'HEAD' ? undefined : sent?.body)
}
