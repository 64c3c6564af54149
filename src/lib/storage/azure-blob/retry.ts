import {RestError} from '@azure/storage-blob'
import {setTimeout as sleep} from 'node:timers/promises'
import {isTransient} from './errors.js'

/** A service that is down is reported after some five seconds. */
const attempts = 6
/** Milliseconds. */
const firstDelay = 150
const longestDelay = 8000

export interface Attempt {
  /** From 1: a write that comes again may find itself done. */
  readonly number: number
  /** Aborts with the caller's signal, and when no answer begins in time. For the SDK's call of this attempt. */
  readonly abortSignal: AbortSignal
}
export interface RetryOptions {
  readonly signal?: AbortSignal | undefined
  /** Until an answer begins. */
  readonly seconds?: number
}

/**
 * Does `operation` again, with growing and jittered pauses, while its failure may pass. The SDK's own retries are off: they
 * have no jitter, know no limit of time, and take an answer that was cut short for final.
 */
export async function withRetries<T>(
  operation: (attempt: Attempt) => Promise<T>,
  {signal, seconds = 60}: RetryOptions = {},
): Promise<T> {
  for (let number = 1; ; number += 1) {
    signal?.throwIfAborted()
    const stop = new AbortController()
    const abort = () => stop.abort()
    const timer = setTimeout(abort, seconds * 1000)
    signal?.addEventListener('abort', abort, {once: true})
    try {
      return await operation({number, abortSignal: stop.signal})
    } catch (error) {
      signal?.throwIfAborted()
      if (number === attempts || !isTransient(error)) throw error
      await sleep(Math.max(pause(number), askedFor(error)), undefined, signal ? {signal} : {})
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
    }
  }
}

const pause = (attempt: number): number =>
  Math.min(longestDelay, firstDelay * 2 ** (attempt - 1)) * (0.5 + Math.random())

/** Milliseconds that `Retry-After` asks for. */
function askedFor(error: unknown): number {
  const header = error instanceof RestError ? error.response?.headers.get('retry-after') : undefined
  const seconds = Number(header)
  return Number.isFinite(seconds) ? Math.min(longestDelay, seconds * 1000) : 0
}
