import {accessSync, closeSync, constants, openSync} from 'node:fs'
import type {FastifyInstance, FastifyRequest} from 'fastify'
import type {IncomingMessage} from 'node:http'
import {pino, type Logger} from 'pino'
import type {ServerSettings} from '../config/config.js'
import type {PublicAddress} from './http/address.js'
import {LogDestination} from './log-destination.js'

/** A logger whose lines are buffered. */
export interface ServerLog {
  readonly logger: Logger
  flush(): void
  /** After a log rotation: goes on in the file of that name. */
  reopen(): void
}

/**
 * JSON lines, to the file that the config names or to stderr. Lines are written in batches, each second at the latest:
 * one write a line would cost a tenth of the speed.
 */
export function openLog({logLevel, logFile}: Pick<ServerSettings, 'logLevel' | 'logFile'>): ServerLog {
  const problem = logFile === undefined ? undefined : problemOf(logFile)
  const destination = new LogDestination(problem === undefined ? logFile : undefined)
  const logger = pino(
    {level: logLevel, base: {pid: process.pid}, serializers: {err: loggedError}},
    destination,
  )
  const flush = (): void => destination.flush()
  setInterval(flush, 1000).unref()
  process.once('exit', flush)
  if (problem !== undefined)
    logger.warn({file: logFile}, `the log file can not be written (${problem}): using stderr`)
  return {
    logger,
    flush,
    reopen: () => destination.reopen(),
  }
}

/** What of an error goes into the log: all but the statements of a database error, which hold hashes of passwords. */
export function loggedError(error: unknown): unknown {
  if (!(error instanceof Error)) return error
  const message = withoutStatement(error.message)
  const frames = (error.stack ?? '').split('\n').filter(line => /^\s+at /.test(line))
  return {
    type: error.name,
    message,
    ...('code' in error && {code: error.code}),
    stack: [`${error.name}: ${message}`, ...frames].join('\n'),
    ...(error.cause !== undefined && {cause: loggedError(error.cause)}),
  }
}

/** knex writes the statement with its values, then what the database said. */
const withoutStatement = (message: string): string =>
  /^\s*(?:insert|update|delete|select|with|replace|create|alter|drop|pragma|begin)\b/i.test(message)
    ? message.slice(message.lastIndexOf(' - ') + 3)
    : message

function problemOf(file: string): string | undefined {
  try {
    closeSync(openSync(file, 'a', 0o640))
    accessSync(file, constants.W_OK)
    return undefined
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error'
  }
}

/** A request that was answered. */
export interface Answered {
  readonly request: FastifyRequest | IncomingMessage
  readonly id: string
  readonly method: string
  /** Without the mount prefix. */
  readonly url: string
  readonly status: number
  readonly ms: number
  readonly user: string | undefined
  /** Of the body, as far as that is known. */
  readonly bytes: number | undefined
}

/** Writes one line for an answered request. The path has no query; headers, which hold passwords, are never logged. */
export function requestLog(logger: Logger, address: PublicAddress): (answered: Answered) => void {
  return ({request, id, method, url, status, ms, user, bytes}) => {
    if (!logger.isLevelEnabled('info')) return // which a reload may change
    const question = url.indexOf('?')
    logger.info(
      {
        request: id,
        method,
        path: question < 0 ? url : url.slice(0, question),
        status,
        ms: Math.round(ms * 10) / 10,
        client: address.client(request),
        user, // what is undefined is left out
        bytes,
      },
      'request',
    )
  }
}

/** A line for each request that `app` answers. */
export function logRequests(app: FastifyInstance, log: (answered: Answered) => void): void {
  app.addHook('onResponse', (request, reply, done) => {
    const bytes = reply.getHeader('content-length')
    log({
      request,
      id: request.id,
      method: request.method,
      url: request.url,
      status: reply.statusCode,
      ms: reply.elapsedTime,
      user: request.username ?? undefined,
      bytes: bytes === undefined ? undefined : Number(bytes),
    })
    done()
  })
}
