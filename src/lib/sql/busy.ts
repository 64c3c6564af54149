import {setTimeout as sleep} from 'node:timers/promises'

const longestPauseMs = 50

/** Another connection holds a lock that SQLite needs now. */
export const isBusy = (error: unknown): boolean =>
  error instanceof Error &&
  'code' in error &&
  typeof error.code === 'string' &&
  /^SQLITE_BUSY(?:_RECOVERY)?$/.test(error.code)

/**
 * Tries again while the database is locked, for `seconds` at most, and then throws the last refusal. SQLite's own
 * busy timeout would stop the whole process while it waits, the holder of the lock included when that is us.
 * @param mayHelp Whether trying again may help; other errors are thrown at once.
 */
export async function retryWhileBusy<T>(
  seconds: number,
  attempt: () => T | Promise<T>,
  mayHelp: (error: unknown) => boolean = isBusy,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000
  for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      return await attempt()
    } catch (error) {
      if (!mayHelp(error) || performance.now() >= deadline) throw error
    }
    await sleep(pauseMs * (0.5 + Math.random()))
  }
}
