import cluster, {type Worker} from 'node:cluster'
import {fileURLToPath} from 'node:url'
import {openBackends} from '../backends.js'
import type {LoginNews} from '../access/slow-down.js'
import type {Config} from '../config/config.js'
import {sqlCacheFields} from '../config/schema/cache.js'
import {sqlAccessFields} from '../config/schema/access.js'
import {UsageError} from '../errors.js'
import {openLog} from './logging.js'
import {closing, ListenFailed, type RunningServer, type ServeOptions} from './serve.js'

/** What the first process tells a worker when it starts it. */
export interface WorkerOrder {
  readonly configPath: string
  readonly host?: string | undefined
  readonly port?: number | undefined
  readonly graceSeconds?: number | undefined
}
/** What a worker tells the first process. */
export type WorkerNews =
  {readonly listening: string} | {readonly failed: string} | {readonly login: LoginNews}
export const orderVariable = 'PPC_WORKER_ORDER'
/** What the first process tells a worker of another one. */
export interface LoginMessage {
  readonly login: LoginNews
}
/** To a worker: end gracefully; reload, as after SIGHUP. */
export const endMessage = 'end'
export const reloadMessage = 'reload'

const firstDelay = 500
const longestDelay = 30_000
/** A worker that lived so long, in ms, did not die of its start. */
const healthyAfter = 60_000

/** Several processes on one port. A dead one is started again, after a pause that doubles while it keeps dying. */
export async function serveByWorkers(
  config: Config,
  count: number,
  options: ServeOptions,
): Promise<RunningServer> {
  refuseMemory(config)
  // Once here first: what is wrong with a backend is thrown as it is, and tables are made by one process.
  await (await openBackends(config, ['storage', 'cache', 'access']))[Symbol.asyncDispose]()
  const log = openLog(config.server)
  const {logger} = log
  const order: WorkerOrder = {
    configPath: options.configPath ?? config.file,
    host: options.host,
    port: options.port,
    graceSeconds: options.graceSeconds,
  }
  cluster.setupPrimary({exec: fileURLToPath(new URL('./worker.js', import.meta.url)), args: []})
  let ending = false
  let delay = firstDelay
  const timers = new Set<NodeJS.Timeout>()

  const start = (): Promise<string> => {
    const born = Date.now()
    const worker = cluster.fork({[orderVariable]: JSON.stringify(order)})
    const listening = new Promise<string>((resolve, reject) => {
      worker.on('message', (news: WorkerNews) => {
        if ('listening' in news) resolve(news.listening)
        else if ('login' in news) tellOthers(worker, news)
        else reject(new ListenFailed(news.failed))
      })
      worker.on('exit', (code, signal) => {
        reject(new ListenFailed(`a worker process ended at its start (${signal || String(code)})`))
      })
    })
    worker.on('exit', (code, signal) => {
      if (ending) return
      const lived = Date.now() - born
      delay = lived > healthyAfter ? firstDelay : Math.min(delay * 2, longestDelay)
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

  const end = closing(async () => {
    ending = true
    for (const timer of timers) clearTimeout(timer)
    await Promise.all(workersAlive().map(endWorker))
  })
  const reload = (): void => {
    log.reopen()
    for (const worker of workersAlive()) worker.send(reloadMessage)
  }
  try {
    const urls = await Promise.all(Array.from({length: count}, start))
    logger.info({url: urls[0], workers: count}, 'listening')
    return {url: urls[0] ?? '', log, reload, ...end}
  } catch (error) {
    await end.close().catch(() => undefined)
    throw error
  }
}

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
  const urls = [
    ...(config.core.db === 'sql' ? [['db.url', config.read(sqlCacheFields).url] as const] : []),
    ...(config.core.auth === 'sql' ? [['auth.db.url', config.read(sqlAccessFields).url] as const] : []),
  ]
  for (const [key, url] of urls) {
    if (/^sqlite(?:\+\w+)?:(?:\/\/\/?)?(?::memory:.*)?$/.test(url)) {
      throw new UsageError(
        `${config.file}: ${key} is a database in memory, which several workers can not share: name a file, or use one worker`,
      )
    }
  }
}
