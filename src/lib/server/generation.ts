import type {IncomingMessage, ServerResponse} from 'node:http'
import {resolve} from 'node:path'
import {openBackends} from '../backends.js'
import type {Config} from '../config/config.js'
import {operationFields} from '../config/schema/operation.js'
import {Unavailable} from '../errors.js'
import {originNotices} from '../index/origin.js'
import {removeStaleSpools} from '../index/spool.js'
import {diskCacheNotices, openDiskCache, type DiskCache} from '../storage/disk-cache/disk-cache.js'
import {appOf, createContext} from './app.js'
import {tracked, type Context} from './context.js'
import {AuditLog} from '../audit-log.js'
import type {ProcessParts} from './process-parts.js'
import {readyPages} from './ready-pages.js'
import {keepCacheComplete, tellMixedNames} from './start-up.js'

/** All that is made of one reading of the config. A reload makes the next one, while this one ends its requests. */
export interface Generation {
  readonly config: Config
  readonly context: Context
  /** Answers a request. */
  handle(request: IncomingMessage, response: ServerResponse): void
  /** The server is ending: readiness goes, long work is given up. */
  announceEnd(): void
  /** Resolves when everything it has begun has ended and its backends are closed. Nothing may be handled any more. */
  retire(): Promise<void>
}

/** @throws {Unavailable} when a backend can't be reached. */
export async function openGeneration(config: Config, process: ProcessParts): Promise<Generation> {
  const backends = await openBackends(config, ['storage', 'cache', 'access'])
  const stop = new AbortController()
  const {logger} = process.log
  let diskCache: DiskCache | undefined
  let audit: AuditLog | undefined
  const closeBackends = async (): Promise<void> => {
    try {
      await audit?.[Symbol.asyncDispose]()
      await diskCache?.[Symbol.asyncDispose]()
    } finally {
      await backends[Symbol.asyncDispose]()
    }
  }
  try {
    await backends.access.check() // a directory is not asked before
    diskCache = await openDiskCache(config, backends.storage, message => logger.warn(message))
    const {auditFile} = config.read(operationFields)
    if (auditFile !== undefined) audit = await AuditLog.open(resolve(config.directory, auditFile))
    const context = createContext({
      ...backends,
      config,
      diskCache,
      audit,
      slowDown: process.slowDown,
      metrics: process.metrics,
      logger,
      stopping: stop.signal,
    })
    const app = appOf(context)
    await app.ready()
    // Known from the beginning: a storage that goes away later must not take the pages with it.
    await context.index.projectNotes.snapshot().catch((err: unknown) => {
      logger.error({err}, 'what is noted of projects could not be read: their pages are not answered')
    })
    await context.index.wholeness.begin().catch((err: unknown) => {
      logger.error({err}, 'whether the list of files is whole could not be read')
    })
    const answerReadyPage = readyPages(context)
    const requests = new Running()
    const announceEnd = (): void => stop.abort(new Unavailable('the server is ending'))
    void removeStaleSpools(backends.storage.spoolDirectory)
    const filling = keepCacheComplete(context, stop.signal)
    for (const notice of [
      ...originNotices(config),
      ...(backends.storage.notices ?? []),
      ...diskCacheNotices(config, backends.storage),
    ]) {
      logger.warn(notice)
    }
    void tracked(context, () => tellMixedNames(context))
    await filling.begun
    return {
      config,
      context,
      handle(request, response) {
        if (answerReadyPage(request, response)) return
        requests.add(response)
        app.routing(request, response)
      },
      announceEnd,
      async retire() {
        try {
          await requests.ended()
          await Promise.allSettled([...context.running])
          announceEnd()
          await filling.ended
          await context.pages.settled()
          await context.policy.settled()
          await app.close()
        } finally {
          await closeBackends()
        }
      },
    }
  } catch (error) {
    stop.abort()
    await closeBackends().catch(() => undefined) // the first failure is the one to report
    throw error
  }
}

/** Counts answers that are not sent yet. */
class Running {
  #count = 0
  #whenNone: () => void = () => undefined

  add(response: ServerResponse): void {
    this.#count += 1
    response.once('close', () => {
      this.#count -= 1
      if (this.#count === 0) this.#whenNone()
    })
  }

  async ended(): Promise<void> {
    if (this.#count === 0) return
    await new Promise<void>(resolve => (this.#whenNone = resolve))
  }
}
