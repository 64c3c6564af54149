import {rmdir} from 'node:fs/promises'
import {join} from 'node:path'
import {setTimeout} from 'node:timers/promises'
import {Unavailable} from '../../errors.js'
import {errorCode} from './errors.js'
import {lockName} from './names.js'

/** The holder touches its lock every few seconds; one that was killed blocks nobody for longer. */
const staleAfterMs = 10_000

/**
 * Runs `work` while no other process of this toolkit holds the lock of `key`. `stillHeld` throws when this process
 * was stopped for so long that somebody else may have taken over: ask it before every step that can't be undone.
 * @throws {Unavailable} when the lock stays taken.
 */
export async function withLock<T>(
  directory: string,
  key: string,
  work: (stillHeld: () => void) => Promise<T> | T,
): Promise<T> {
  const lockfilePath = join(directory, lockName(key))
  let lost = false
  const release = await acquire(join(directory, key), lockfilePath, () => (lost = true))
  try {
    return await work(() => {
      if (lost) throw new Unavailable(`${directory}: the lock of ${key} was lost, nothing was written`)
    })
  } finally {
    await release().catch(() => (lost ? undefined : rmdir(lockfilePath).catch(() => undefined)))
  }
}

/** The library's own retries would also repeat what can't succeed: a full disk, a read-only one. */
async function acquire(
  file: string,
  lockfilePath: string,
  onCompromised: () => void,
): Promise<() => Promise<void>> {
  const {lock} = (await import('proper-lockfile')).default
  const giveUpAt = performance.now() + 3 * staleAfterMs
  for (let pause = 5; ; pause = Math.min(pause * 1.3, 250)) {
    try {
      const update = staleAfterMs / 5
      return await lock(file, {lockfilePath, realpath: false, stale: staleAfterMs, update, onCompromised})
    } catch (error) {
      if (errorCode(error) !== 'ELOCKED') throw error
      if (performance.now() > giveUpAt) {
        throw new Unavailable(`${file} is being written by another process`, {cause: error})
      }
      await setTimeout(pause * (0.5 + Math.random()))
    }
  }
}
