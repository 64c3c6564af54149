import {setTimeout as sleep} from 'node:timers/promises'
import type {Backends} from '../../backends.js'
import {PpcError, Unavailable} from '../../errors.js'

/** Between two looks, and how long a backend may take for one, in ms. */
const pauseMs = 2000
const patienceMs = 5000
/** Nobody has asked for so long, in ms: nobody looks any more. */
const idleMs = 60_000

export type BackendName = keyof Backends
/** What is wrong with each backend: empty when nothing is. */
export type Problems = Readonly<Record<BackendName, string>>

export const backendNames: readonly BackendName[] = ['access', 'cache', 'storage']

/**
 * Knows whether the backends work, without ever making anybody wait for one of them: who asks gets what was found last.
 * As long as somebody asks, they are looked at in the background. What does not answer in time does not work.
 */
export class Readiness {
  #problems: Problems = {access: '', cache: '', storage: ''} // they have just been opened
  #askedAt = 0
  #looking = false

  /** @param stopping ends the looking. */
  constructor(
    private readonly backends: Backends,
    private readonly stopping: AbortSignal,
  ) {}

  problems(): Problems {
    this.#askedAt = performance.now()
    if (!this.#looking) void this.#lookOnAndOn()
    return this.#problems
  }

  async #lookOnAndOn(): Promise<void> {
    this.#looking = true
    while (!this.stopping.aborted && performance.now() - this.#askedAt < idleMs) {
      this.#problems = await problemsOf(this.backends, patienceMs)
      await sleep(pauseMs, undefined, {signal: this.stopping, ref: false}).catch(() => undefined)
    }
    this.#looking = false
  }
}

/** Asks all backends at once. @param patienceMs for each. Default: however long it takes. */
export async function problemsOf(backends: Backends, patienceMs?: number): Promise<Problems> {
  const [access = '', cache = '', storage = ''] = await Promise.all(
    backendNames.map(name => problemOf(backends[name].check(), patienceMs)),
  )
  return {access, cache, storage}
}

async function problemOf(check: Promise<void>, patienceMs: number | undefined): Promise<string> {
  const stop = new AbortController()
  try {
    await (patienceMs === undefined ? check : Promise.race([check, silence(patienceMs, stop.signal)]))
    return ''
  } catch (error) {
    return error instanceof PpcError ? error.message : 'it does not work; the log says why'
  } finally {
    stop.abort()
  }
}

/** @throws {Unavailable} after `ms`. */
async function silence(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, {signal, ref: false}).catch(() => undefined)
  throw new Unavailable(`no answer within ${ms / 1000} s`)
}
