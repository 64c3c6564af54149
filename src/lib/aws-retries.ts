import {setTimeout as sleep} from 'node:timers/promises'
import type {S3ClientConfig} from '@aws-sdk/client-s3'

/** As every client of the SDK takes it. */
type RetryStrategy = Extract<S3ClientConfig['retryStrategy'], {recordSuccess: unknown}>
export type RetryReason = Parameters<RetryStrategy['refreshRetryTokenForRetry']>[1]

/**
 * Tries a request of the AWS SDK again after a pause, half of which is random. Unlike the SDK's own strategies it has no
 * budget that all requests share.
 * @param attempts how often a request is sent at most.
 * @param pauseMs how long to wait before attempt number `count` + 1 in milliseconds, or undefined to give up.
 */
export function awsRetries(
  attempts: number,
  pauseMs: (reason: RetryReason, count: number) => number | undefined,
): RetryStrategy {
  const token = (count: number) => ({
    getRetryCount: () => count,
    getRetryDelay: () => 0, // the pause is over when the token is given
  })
  return {
    acquireInitialRetryToken: () => Promise.resolve(token(0)),
    async refreshRetryTokenForRetry(used, reason) {
      const count = used.getRetryCount() + 1
      const pause = count < attempts ? pauseMs(reason, count) : undefined
      if (pause === undefined) throw new Error('not tried again')
      await sleep(pause * (0.5 + Math.random() / 2))
      return token(count)
    },
    recordSuccess: () => undefined,
  }
}
