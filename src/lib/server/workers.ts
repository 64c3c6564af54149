import cluster, {type Worker} from 'node:cluster'
import {fileURLToPath} from 'node:url'
import {openBackends} from '../backends.js'
import type {LoginNews} from '../access/slow-down.js'
import {readConfig, type Config} from '../config/config.js'
import {UsageError} from '../errors.js'
import {HandedConnections} from './handed-connections.js'
import {ListenFailed} from './listen.js'
import {openLog} from './logging.js'
import {memoryDatabases} from './memory-databases.js'
import type {Counts} from './operation/metrics.js'
import {openMetrics, serveMetrics} from './operation/open-metrics.js'
import {countsOf, type CountsAnswer} from './operation/worker-counts.js'
import {configChanges, Reloader} from './reload.js'
import {closing, type RunningServer, type ServeOptions} from './serve.js'
import {StandIn} from './stand-in.js'

/** What the first process tells a worker when it starts it. */
export interface WorkerOrder {
  readonly configPath: string
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly graceSeconds?: number | undefined
}
/** What a worker tells the first process. */
export type WorkerNews =
  | {readonly wantsToListen: true}
  | {readonly listening: string}
  | {readonly failed: string}
  | {readonly login: LoginNews}
  | CountsAnswer
export const orderVariable = 'PPC_WORKER_ORDER'
/** What the first process tells a worker of another one. */
export interface LoginMessage {
  readonly login: LoginNews
}
/** To a worker that has asked: it may listen, on this port unless it is null. */
export interface ListenMessage {
  readonly listenOn: number | null
}
/** To a worker: end gracefully; open log files anew; read the config again as well. */
export const endMessage = 'end'
export const reopenMessage = 'reopen'
export const reloadMessage = 'reload'

const firstDelay = 500
const longestDelay = 30_000
/** A worker that listened for so long, in ms, did not die of its start. */
const healthyAfter = 5000

/**
 * V8's flag for two halves of 8 MB instead of 16 for what dies young. In 4 MB, what a busy moment needs at once no longer
 * dies there, and the rest of the heap grows by more than is won.
 */
const smallYoungGeneration = '--max-semi-space-size=8'

/** Several processes on one port. A dead one is started again, after a pause that doubles while it keeps dying. */
export async function serveByWorkers(
  config: Config,
  count: number,
  options: ServeOptions,
): Promise<RunningServer> {
  refuseMemory(config)
  await tryBackends(config)
  const log = openLog(config.server)
  const metrics = await openMetrics(config)
  const {logger} = log
  const order: WorkerOrder = {
    configPath: options.configPath ?? config.file,
    host: options.host,
    port: options.port,
    graceSeconds: options.graceSeconds,
  }
  cluster.setupPrimary({
    exec: fileURLToPath(new URL('./worker.js', import.meta.url)),
    args: [],
    execArgv: [...process.execArgv, smallYoungGeneration],
  })
  const connections = new HandedConnections()
  const standIn = new StandIn(() => logger.warn('no worker is left: connections wait for the next one'))
  /** Those that listen or are about to. */
  const listeners = new Set<Worker>()
  /** Where the first of them came to listen. */
  let place: {readonly host: string; readonly port: number} | undefined
  let ending = false
  /** Then the first process has given up the port, which the config may not tell: 0 is any. */
  let hadNone = false
  /** How often all workers were told something. */
  let tellings = 0
  let delay = firstDelay
  const timers = new Set<NodeJS.Timeout>()

  const start = (): Promise<string> => {
    let listeningSince = Infinity
    const before = tellings
    const worker = cluster.fork({[orderVariable]: JSON.stringify(order)})
    connections.watch(worker)
    worker.on('error', () => undefined) // it was told something after its death, which is reported by its exit
    const listening = new Promise<string>((resolve, reject) => {
      worker.on('message', (news: WorkerNews) => {
        if ('wantsToListen' in news) {
          standIn.leave()
          listeners.add(worker)
          worker.send({listenOn: hadNone ? (place?.port ?? null) : null} satisfies ListenMessage)
        } else if ('listening' in news) {
          listeningSince = performance.now()
          place ??= {host: options.host ?? config.server.host, port: portOf(news.listening)}
          standIn.handTo(worker)
          resolve(news.listening)
          // node:cluster drops what a worker is told before it listens to it
          if (ending) worker.send(endMessage)
          else if (tellings > before) worker.send(reloadMessage)
        } else if ('login' in news) tellOthers(worker, news)
        else if ('failed' in news) reject(new ListenFailed(news.failed))
      })
      worker.on('exit', (code, signal) => {
        reject(new ListenFailed(`a worker process ended at its start (${signal || String(code)})`))
      })
    })
    worker.on('exit', (code, signal) => {
      const didListen = listeners.delete(worker)
      if (ending) return
      if (didListen && listeners.size === 0 && place) {
        hadNone = true
        standIn.begin(place)
      }
      const wasHealthy = performance.now() - listeningSince > healthyAfter
      delay = wasHealthy ? firstDelay : Math.min(delay * 2, longestDelay)
      logger.error(
        {worker: worker.process.pid, code, signal, restartMs: delay},
        'a worker died: it is started again',
      )
      const timer = setTimeout(() => {
        timers.delete(timer)
        if (!ending) start().catch(() => undefined) // its exit is reported above
      }, delay)
      timers.add(timer)
    })
    return listening
  }

  const tell = (message: string): void => {
    tellings += 1
    for (const worker of workersAlive()) worker.send(message)
  }
  let present = config
  const reloader = new Reloader(
    () => present,
    log,
    metrics,
    async () => {
      log.reopen()
      try {
        const next = await readConfig(order.configPath)
        const changes = configChanges(present, next)
        if (changes.changed.length > 0) {
          refuseMemory(next)
          await tryBackends(next)
        }
        present = next
        tell(reloadMessage)
        return changes
      } catch (error) {
        tell(reopenMessage)
        throw error
      }
    },
  )
  const allCounts = async (): Promise<Counts[]> => {
    const counts = await Promise.all([metrics?.counts(), ...workersAlive().map(countsOf)])
    return counts.filter(one => one !== undefined)
  }
  let metricsServer: {close: () => void} | undefined
  const end = closing(async () => {
    ending = true
    for (const timer of timers) clearTimeout(timer)
    standIn.end()
    await Promise.all(workersAlive().map(endWorker))
    metricsServer?.close()
  })
  try {
    const urls = await Promise.all(Array.from({length: count}, start))
    if (metrics) metricsServer = await serveMetrics(config, log, allCounts)
    logger.info({url: urls[0], workers: count}, 'listening')
    const reopen = (): Promise<void> => {
      log.reopen()
      tell(reopenMessage)
      return Promise.resolve()
    }
    return {
      url: urls[0] ?? '',
      log,
      reopen,
      reload: () => reloader.reload(),
      counts: () => Promise.resolve(undefined),
      ...end,
    }
  } catch (error) {
    await end.close().catch(() => undefined)
    throw error
  }
}

const portOf = (url: string): number => Number(new URL(url).port) || 80

/** What is wrong with a backend is thrown as it is, before any worker tries; tables are made by one process. */
const tryBackends = async (config: Config): Promise<void> =>
  (await openBackends(config, ['storage', 'cache', 'access']))[Symbol.asyncDispose]()

const workersAlive = (): Worker[] =>
  Object.values(cluster.workers ?? {}).filter(worker => worker !== undefined && !worker.isDead()) as Worker[]

/** A wrong password counts on all of them. */
function tellOthers(teller: Worker, news: LoginMessage): void {
  for (const worker of workersAlive()) if (worker !== teller && worker.isConnected()) worker.send(news)
}

function endWorker(worker: Worker): Promise<void> {
  return new Promise(resolve => {
    worker.once('exit', () => resolve())
    if (worker.isConnected()) worker.send(endMessage, () => undefined)
    else worker.process.kill('SIGTERM')
  })
}

/** @throws {UsageError}: each process would have a database of its own (RULES 14). */
function refuseMemory(config: Config): void {
  const [key] = memoryDatabases(config)
  if (key === undefined) return
  throw new UsageError(
    `${config.file}: ${key} is a database in memory, which several workers can not share: name a file, or use one worker`,
  )
}
