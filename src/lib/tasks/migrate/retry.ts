import {setTimeout as sleep} from 'node:timers/promises'
import {Conflict, InvalidInput, LockLost, NotFound, UsageError} from '../../errors.js'
import {ObjectExists, ObjectMissing} from '../../storage/storage.js'
import {DamagedSource} from './source-body.js'
import {SourceFailed} from './source-storage.js'

const attempts = 3
const firstPauseMs = 200

/** Failures that a repetition would only repeat. */
const isFinal = (error: unknown): boolean =>
  [Conflict, NotFound, InvalidInput, LockLost, UsageError, ObjectExists, ObjectMissing, DamagedSource].some(
    kind => error instanceof kind,
  )

/** Services have retried a request by now: this is for a connection that broke in the middle of a file. */
export async function withRetries<T>(
  work: (attempt: number) => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work(attempt)
    } catch (error) {
      signal?.throwIfAborted()
      if (attempt === attempts || isFinal(error) || error instanceof SourceFailed) throw error
      await sleep(firstPauseMs * 4 ** (attempt - 1) * (0.5 + Math.random()), undefined, {signal})
    }
  }
}

/** How many files may fail one after another before that is no matter of files any more. */
const longestStreak = 25

/** Tells a file that can't be copied from credentials that have expired, or a disk that is full. */
export class FailureStreak {
  /** Whether any file was no failure. */
  hasSucceeded = false
  #length = 0
  #kind: string | undefined

  success(): void {
    this.hasSucceeded = true
    this.restart()
  }

  restart(): void {
    this.#length = 0
  }

  /** @returns whether everything fails now, for one reason. */
  failure(error: unknown): boolean {
    if (isFinal(error)) return false
    const kind = error instanceof Error ? error.name : typeof error
    this.#length = kind === this.#kind ? this.#length + 1 : 1
    this.#kind = kind
    return this.#length >= longestStreak
  }
}
