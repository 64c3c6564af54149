import cluster from 'node:cluster'
import type {AddressInfo} from 'node:net'
import type {SlowDown} from '../access/slow-down.js'
import {openBackends} from '../backends.js'
import type {Config} from '../config/config.js'
import {ExitCode, PpcError, Unavailable} from '../errors.js'
import {originNotices} from '../index/origin.js'
import {removeStaleSpools} from '../index/spool.js'
import {diskCacheNotices, openDiskCache, type DiskCache} from '../storage/disk-cache/disk-cache.js'
import {appOf, createContext} from './app.js'
import {openLog, type ServerLog} from './logging.js'
import {gracefulClose, graceSeconds} from './shutdown.js'
import {keepCacheComplete} from './start-up.js'
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
  /** SIGHUP: remembered log-ins are forgotten, the log file is opened anew. */
  reload(): void
}

/** The address is in use, or may not be used. */
export class ListenFailed extends PpcError {
  readonly code = 'PPC_LISTEN_FAILED'
  override readonly exitCode = ExitCode.failed
}

/** @throws {Unavailable} when a backend can't be reached. @throws {ListenFailed} @throws {UsageError} */
export async function serve(config: Config, options: ServeOptions = {}): Promise<RunningServer> {
  const workers = options.workers ?? config.server.workers
  const running =
    workers > 1 && cluster.isPrimary
      ? await serveByWorkers(config, workers, options)
      : await serveHere(config, options)
  if (options.signals ?? true) endAtSignals(running)
  return running
}

/** A server in this process alone. */
export interface ServerHere extends RunningServer {
  /** What it knows of wrong passwords. */
  readonly slowDown: SlowDown
}

/** One process. */
export async function serveHere(config: Config, options: ServeOptions): Promise<ServerHere> {
  const backends = await openBackends(config, ['storage', 'cache', 'access'])
  const log = openLog(config.server)
  const stop = new AbortController()
  let diskCache: DiskCache | undefined
  try {
    await backends.access.check() // a directory is not asked before
    diskCache = await openDiskCache(config, backends.storage, message => log.logger.warn(message))
    const context = createContext({
      ...backends,
      config,
      diskCache,
      logger: log.logger,
      stopping: stop.signal,
    })
    const app = appOf(context)
    // Known from the beginning: a storage that goes away later must not take the pages with it.
    await context.index.projectNotes.snapshot().catch((err: unknown) => {
      log.logger.error({err}, 'what is noted of projects could not be read: their pages are not answered')
    })
    const closeApp = gracefulClose(app, options.graceSeconds ?? graceSeconds)
    const host = options.host ?? config.server.host
    const port = options.port ?? config.server.port
    try {
      await app.listen({host, port})
    } catch (error) {
      throw new ListenFailed(`${host}:${port}: can not listen there: ${reasonOf(error)}`, {cause: error})
    }
    void removeStaleSpools(backends.storage.spoolDirectory)
    const filling = keepCacheComplete(context, stop.signal)

    const end = closing(async () => {
      stop.abort(new Unavailable('the server is ending'))
      try {
        await closeApp()
        await filling
        await Promise.allSettled([...context.running])
        await context.pages.settled()
        await context.policy.settled()
        await diskCache?.[Symbol.asyncDispose]()
      } finally {
        await backends[Symbol.asyncDispose]()
        log.flush()
      }
    })
    const url = urlOf(app.server.address() as AddressInfo, config)
    log.logger.info({url}, 'listening')
    const notices = [
      ...originNotices(config),
      ...(backends.storage.notices ?? []),
      ...diskCacheNotices(config, backends.storage),
    ]
    for (const notice of notices) log.logger.warn(notice)
    const reload = (): void => {
      context.policy.forgetCredentials()
      log.reopen()
    }
    return {url, log, reload, slowDown: context.policy.slowDown, ...end}
  } catch (error) {
    stop.abort()
    try {
      await diskCache?.[Symbol.asyncDispose]()
      await backends[Symbol.asyncDispose]()
    } catch {
      // the first failure is the one to report
    }
    throw error
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

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program uses this port',
  EADDRNOTAVAIL: 'this machine does not have that address',
  EACCES: 'this user may not use that port',
  ENOTFOUND: 'the host name is unknown',
}
const reasonOf = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return reasons[code] ?? (code || 'unknown reason')
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
  process.on('SIGHUP', () => running.reload())
}
