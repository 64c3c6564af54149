import type {FastifyReply, FastifyRequest} from 'fastify'
import {STATUS_CODES} from 'node:http'
import {TooManyAttempts} from '../../access/slow-down.js'
import {Conflict, InvalidInput, PpcError, StorageFailed, Unavailable} from '../../errors.js'
import {escapeHtml} from '../../index/pages/markup.js'
import {ListNotWhole} from '../../index/wholeness.js'
import type {Json} from '../../python-json.js'
import {preferred} from './accept.js'
import {sendJsonText} from './json.js'

/**
 * How pypicloud shapes an error: `page` follows Accept everywhere; `raised` is a page too, but
 * `{"error": "unknown", "message"}` below /api/ and /admin/; `coded` is `{"code": 400, "message"}`.
 */
export type ErrorForm = 'page' | 'raised' | 'coded'

/** An answer that is decided by the HTTP layer itself. The message may be empty. */
export class HttpError extends PpcError {
  readonly code = 'PPC_HTTP'
  override readonly statusCode: number
  readonly form: ErrorForm
  readonly headers: Readonly<Record<string, string>>

  constructor(
    statusCode: number,
    message = '',
    options: {form?: ErrorForm; headers?: Record<string, string>; cause?: unknown} = {},
  ) {
    super(message, options.cause === undefined ? {} : {cause: options.cause})
    this.statusCode = statusCode
    this.form = options.form ?? 'page'
    this.headers = options.headers ?? {}
  }
}

/** @param realm as configured; quotes in it are escaped. */
export const unauthorized = (realm: string): HttpError =>
  new HttpError(401, '', {
    headers: {'www-authenticate': `Basic realm="${realm.replace(/["\\]/g, '\\$&').replace(/[^ -~]/g, '?')}"`},
  })
export const forbidden = (message = ''): HttpError => new HttpError(403, message)
/** A redirect is thrown like an error: its body follows Accept as theirs do. */
export const redirect = (location: string): HttpError => new HttpError(302, location, {headers: {location}})
/** `message` is the path for unknown routes. */
export const notFound = (message = '', form: ErrorForm = 'page'): HttpError =>
  new HttpError(404, message, {form})
/** For what may be here without a row. pip tries again. */
export const notComplete = (): HttpError =>
  new HttpError(503, 'The list of files is not complete yet: it is being rebuilt.', {
    headers: {'retry-after': '5'},
  })
export const missingArgument = (name: string): HttpError =>
  new HttpError(400, `Missing argument '${name}'`, {form: 'raised'})

/** What a status means, before the sentence that says what it is about here. */
const meanings: Readonly<Record<number, string>> = {
  302: 'This address moved.',
  400: 'The request can not be understood or its data is wrong.',
  401: 'A login is needed here: none was sent, or its user name or password is wrong.',
  403: 'You have no right to do this.',
  404: 'There is nothing at this address.',
  409: 'The request does not go with what is stored.',
  413: 'The request is too large.',
  415: 'The body is of a type that can not be read.',
  416: 'The file has no such part.',
  429: 'Too many requests.',
  500: 'The server failed; its log says why.',
  502: 'The upstream index answers what can not be taken.',
  503: 'The server can not do this now; try again later.',
}

/** What of `error` may be told to the client: its own sentence, or nothing when it is a bug. */
export function describe(error: unknown): {
  status: number
  message: string
  form: ErrorForm
  headers: Readonly<Record<string, string>>
} {
  if (error instanceof HttpError) {
    const {statusCode: status, message, form, headers} = error
    return {status, message, form, headers}
  }
  if (error instanceof ListNotWhole) return describe(notComplete())
  if (error instanceof PpcError) {
    const status = error.statusCode
    return {
      status,
      message: status >= 500 ? failureOf(error) : withHint(error),
      form: error instanceof InvalidInput || error instanceof Conflict ? 'page' : 'raised',
      headers: retryAfterOf(error),
    }
  }
  if (isOfRequest(error)) return {status: error.statusCode, message: error.message, form: 'page', headers: {}}
  return {status: 500, message: '', form: 'raised', headers: {}}
}

/** What Fastify itself refuses before any of our code runs: a `Content-Type` that is none, for instance. */
const isOfRequest = (error: unknown): error is Error & {statusCode: number} =>
  error instanceof Error &&
  'code' in error &&
  String(error.code).startsWith('FST_ERR_') &&
  'statusCode' in error &&
  Number(error.statusCode) >= 400 &&
  Number(error.statusCode) < 500

function retryAfterOf(error: PpcError): Readonly<Record<string, string>> {
  if (error instanceof TooManyAttempts) return {'retry-after': String(error.retryAfterSeconds)}
  return error.statusCode === 503 ? {'retry-after': '5'} : {}
}

const withHint = ({message, hint}: PpcError): string =>
  hint === undefined ? message : `${message} (${hint})`

/** Its message is for the operator, who finds it in the log: it may name files and hosts. */
const failureOf = (error: PpcError): string =>
  error instanceof StorageFailed
    ? 'The storage of the server can not be read or written now.'
    : error instanceof Unavailable
      ? 'A database or service that the server needs is busy or can not be reached.'
      : ''

/** Answers `error`, once its bytes can still be sent. */
export function sendError(
  request: FastifyRequest,
  reply: FastifyReply,
  error: unknown,
  json: (value: Json) => string,
): FastifyReply {
  const {status, message, form, headers} = describe(error)
  const title = STATUS_CODES[status] ?? 'Error'
  void reply
    .code(status)
    .headers(headers)
    .header('cache-control', 'no-store')
    .header('x-content-type-options', 'nosniff')
    .header('content-security-policy', "default-src 'none'")
  if (message !== '' && status >= 400) reply.raw.statusMessage = reasonPhrase(message)
  const path = request.url
  if (form === 'coded') return sendJsonText(reply, json({code: status, message}))
  if (form === 'raised' && (path.startsWith('/api/') || path.startsWith('/admin/'))) {
    return sendJsonText(reply, json({error: 'unknown', message: message || title}))
  }
  const meaning = meanings[status] ?? title
  const accept = request.headers.accept
  const type =
    accept === undefined
      ? undefined
      : preferred(accept, ['text/html', 'application/json', 'text/plain'] as const)
  if (type === 'text/html') {
    return reply
      .type('text/html; charset=UTF-8')
      .send(
        `<html>\n <head>\n  <title>${status} ${title}</title>\n </head>\n <body>\n  <h1>${status} ${title}</h1>\n` +
          `  ${meaning}<br/><br/>\n${escapeHtml(message)}\n </body>\n</html>`,
      )
  }
  if (type === 'application/json') {
    return sendJsonText(reply, json({message: `${meaning}\n\n${message}`, code: `${status} ${title}`, title}))
  }
  return reply.type('text/plain; charset=UTF-8').send(`${status} ${title}\n\n${meaning}\n\n${message}\n`)
}

/** twine shows nothing but the reason phrase: it holds the sentence, as far as the header line can. */
const reasonPhrase = (message: string): string => message.replace(/[^ -~]+/g, '?').slice(0, 200)
