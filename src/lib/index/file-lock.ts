import {hostname} from 'node:os'
import {setTimeout as sleep} from 'node:timers/promises'
import type {Cache, Lock} from '../cache/cache.js'
import {LockHeld, Unavailable} from '../errors.js'

export interface Waiting {
  /** What the lock is held for, for those who wait: `an upload`. */
  readonly work: string
  /** Milliseconds. */
  readonly patienceMs: number
}
const upload: Waiting = {work: 'an upload', patienceMs: 30_000}

/** Takes a lock that others hold for the time of their work only. @throws {Unavailable} when they hold it for too long. */
export async function waitForLock(
  cache: Cache,
  name: string,
  {work, patienceMs}: Waiting = upload,
): Promise<Lock> {
  const giveUpAt = performance.now() + patienceMs
  for (let pauseMs = 20; ; pauseMs = Math.min(500, pauseMs * 2)) {
    try {
      return await cache.acquireLock(name, {owner: `${hostname()}, process ${process.pid}: ${work}`})
    } catch (error) {
      if (!(error instanceof LockHeld)) throw error
      if (performance.now() > giveUpAt)
        throw new Unavailable(`${work} is not finished elsewhere: ${error.message}`)
      await sleep(pauseMs * (0.5 + Math.random()))
    }
  }
}
