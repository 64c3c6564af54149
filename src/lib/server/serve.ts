import cluster from 'node:cluster'
import type {AddressInfo, Socket} from 'node:net'
import {SlowDown} from '../access/slow-down.js'
import {readConfig, type Config} from '../config/config.js'
import {ExitCode} from '../errors.js'
import {createFront} from './front.js'
import {openGeneration} from './generation.js'
import {ListenFailed, reasonOf} from './listen.js'
import {openLog, type ServerLog} from './logging.js'
import type {Counts} from './operation/metrics.js'
import {openMetrics, serveMetrics} from './operation/open-metrics.js'
import {configChanges, refuseMemory, Reloader} from './reload.js'
import {gracefulClose, graceSeconds} from './shutdown.js'
import {serveByWorkers} from './workers.js'

export interface ServeOptions {
  /** Default: the config's `[server:main]`, else 127.0.0.1. */
  readonly host?: string | undefined
  /** Default: the config's, else 6543. 0 takes a free one. */
  readonly port?: number | undefined
  /** Processes. Default: the config's, else 1. */
  readonly workers?: number | undefined
  /** What worker processes read the config from, `FILE` or `FILE#NAME`. Default: the config's file. */
  readonly configPath?: string | undefined
  /** Ends, and leaves the process, at SIGTERM and SIGINT. Default: true. */
  readonly signals?: boolean | undefined
  /** How long running requests may take to end. Default: 300. */
  readonly graceSeconds?: number | undefined
}

/** A server that listens. */
export interface RunningServer {
  /** Where it listens, with the mount prefix: `http://127.0.0.1:6543`. */
  readonly url: string
  /** Running requests end, then the backends are closed. May be called twice. */
  close(): Promise<void>
  /** Resolves when it has been closed, by whomever. */
  readonly closed: Promise<void>
  readonly log: ServerLog
  /** Goes on in log files of the same names, after their rotation; remembered log-ins are forgotten. */
  reopen(): Promise<void>
  /** SIGHUP: reopens, and reads the config again; a bad one is reported and the old one kept. Never fails. */
  reload(): Promise<void>
  /** What this process has counted, if it counts. */
  counts(): Promise<Counts | undefined>
}

/** @throws {Unavailable} when a backend can't be reached. @throws {ListenFailed} @throws {UsageError} */
export async function serve(config: Config, options: ServeOptions = {}): Promise<RunningServer> {
  const workers = options.workers ?? config.server.workers
  const signals = options.signals ?? true
  if (signals) process.on('SIGHUP', () => undefined) // one that comes while it starts must not end it
  const running =
    workers > 1 && cluster.isPrimary
      ? await serveByWorkers(config, workers, options)
      : await serveHere(config, options)
  if (signals) endAtSignals(running)
  return running
}

/** A server in this process alone. */
export interface ServerHere extends RunningServer {
  /** What it knows of wrong passwords. */
  readonly slowDown: SlowDown
  /** Answers a connection that another process has accepted. */
  take(socket: Socket): void
}

/**
 * One process.
 * @param mayListen is awaited when everything is open; the port that it gives is taken instead of the one in `options`.
 */
export async function serveHere(
  config: Config,
  options: ServeOptions,
  mayListen?: () => Promise<number | undefined>,
): Promise<ServerHere> {
  const log = openLog(config.server)
  const {logger} = log
  const metrics = await openMetrics(config)
  const slowDown = new SlowDown()
  const parts = {log, metrics, slowDown}
  let generation = await openGeneration(config, parts)
  const retiring = new Set<Promise<void>>()
  const front = createFront((request, response) => generation.handle(request, response))
  const closeFront = gracefulClose(front, options.graceSeconds ?? graceSeconds)
  let metricsServer: {close: () => void} | undefined
  try {
    const port = (await mayListen?.()) ?? options.port ?? config.server.port
    await listen(front, options.host ?? config.server.host, port)
    if (metrics && cluster.isPrimary) {
      metricsServer = await serveMetrics(config, log, async () => [await metrics.counts()])
    }
  } catch (error) {
    await front.close()
    await generation.retire().catch(() => undefined) // the first failure is the one to report
    throw error
  }
  const url = urlOf(front.server.address() as AddressInfo, config)
  logger.info({url}, 'listening')

  const reopen = async (): Promise<void> => {
    log.reopen()
    generation.context.policy.forgetCredentials()
    await generation.context.audit
      ?.reopen()
      .catch((error: unknown) => logger.error({err: error}, 'still in the old audit log'))
  }
  const reloader = new Reloader(
    () => generation.config,
    log,
    metrics,
    async () => {
      await reopen()
      const next = await readConfig(options.configPath ?? config.file)
      const changes = configChanges(generation.config, next)
      if (changes.changed.length > 0) {
        refuseMemory(generation.config)
        const before = generation
        generation = await openGeneration(next, parts)
        logger.level = next.server.logLevel
        const retired = before
          .retire()
          .catch((error: unknown) => logger.error({err: error}, 'what a reload replaced was not closed'))
          .finally(() => retiring.delete(retired))
        retiring.add(retired)
      }
      return changes
    },
  )
  const end = closing(async () => {
    generation.announceEnd()
    try {
      await closeFront()
      await reloader.idle()
      await Promise.all(retiring)
      await generation.retire()
    } finally {
      metricsServer?.close()
      log.flush()
    }
  })
  return {
    url,
    log,
    slowDown,
    take(socket) {
      socket.allowHalfOpen = true // as those that it accepts itself
      socket.setNoDelay(true)
      front.server.emit('connection', socket)
    },
    reopen,
    reload: () => reloader.reload(),
    counts: async () => metrics?.counts(),
    ...end,
  }
}

async function listen(front: ReturnType<typeof createFront>, host: string, port: number): Promise<void> {
  try {
    await front.listen({host, port})
  } catch (error) {
    throw new ListenFailed(`${host}:${port}: can not listen there: ${reasonOf(error)}`, {cause: error})
  }
}

/** Runs `work` once, however often it is asked for. */
export function closing(work: () => Promise<void>): Pick<RunningServer, 'close' | 'closed'> {
  let started: Promise<void> | undefined
  let settle: (outcome: Promise<void>) => void = () => undefined
  const closed = new Promise<void>(resolve => (settle = resolve))
  closed.catch(() => undefined) // whoever calls close() gets the failure
  return {
    closed,
    close: () => {
      if (!started) settle((started = work()))
      return started
    },
  }
}

export function urlOf({address, family, port}: AddressInfo, {server}: Config): string {
  const mount = (server.prefixFilter ? server.prefixFilter.prefix : server.mountPath).replace(/\/+$/, '')
  return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}${mount}`
}

/** The first signal ends gracefully and the process exits with 0; the second ends it at once. */
function endAtSignals(running: RunningServer): void {
  const {log} = running
  let asked = false
  const onSignal = (signal: NodeJS.Signals): void => {
    if (asked) {
      log.flush()
      process.exit(signal === 'SIGINT' ? ExitCode.interrupted : 143)
    }
    asked = true
    log.logger.info({signal}, 'ending: running requests are answered first')
    running.close().then(
      () => process.exit(0),
      (error: unknown) => {
        log.logger.error({err: error}, 'the end was not clean')
        process.exit(ExitCode.failed)
      },
    )
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  process.on('SIGHUP', () => void running.reload())
}
