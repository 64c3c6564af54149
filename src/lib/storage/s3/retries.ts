import {setTimeout as sleep} from 'node:timers/promises'
import type {S3ClientConfig} from '@aws-sdk/client-s3'

type RetryStrategy = Extract<S3ClientConfig['retryStrategy'], {recordSuccess: unknown}>

const attempts = 6
const longestMs = 8000

/**
 * Tries again after throttling, server errors and broken connections, each time after a longer and random pause. The
 * SDK's own strategies give up for all requests together when many are throttled, as it happens while a large bucket
 * is listed.
 */
export function s3Retries(): RetryStrategy {
  const token = (count: number) => ({
    getRetryCount: () => count,
    getRetryDelay: () => 0, // the pause is over when the token is given
  })
  return {
    acquireInitialRetryToken: () => Promise.resolve(token(0)),
    async refreshRetryTokenForRetry(used, {errorType}) {
      const count = used.getRetryCount() + 1
      const mayPass = errorType === 'THROTTLING' || errorType === 'TRANSIENT' || errorType === 'SERVER_ERROR'
      if (!mayPass || count >= attempts) throw new Error('not tried again')
      const firstMs = errorType === 'THROTTLING' ? 400 : 100
      await sleep(Math.min(longestMs, firstMs * 2 ** count) * (0.5 + Math.random() / 2))
      return token(count)
    },
    recordSuccess: () => undefined,
  }
}
