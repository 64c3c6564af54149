import {accessSync, closeSync, constants, openSync} from 'node:fs'
import type {FastifyInstance} from 'fastify'
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

/**
 * One line for each answered request. The path has no query and no mount prefix; headers, which hold passwords, are
 * never logged.
 */
export function logRequests(app: FastifyInstance, logger: Logger, address: PublicAddress): void {
  if (!logger.isLevelEnabled('info')) return
  app.addHook('onResponse', (request, reply, done) => {
    const {url} = request
    const question = url.indexOf('?')
    const bytes = reply.getHeader('content-length')
    logger.info(
      {
        request: request.id,
        method: request.method,
        path: question < 0 ? url : url.slice(0, question),
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
        client: address.client(request),
        user: request.username ?? undefined, // what is undefined is left out
        bytes: bytes === undefined ? undefined : Number(bytes),
      },
      'request',
    )
    done()
  })
}
