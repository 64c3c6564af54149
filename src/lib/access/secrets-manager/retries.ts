import {setTimeout as sleep} from 'node:timers/promises'
import type {SecretsManagerClientConfig} from '@aws-sdk/client-secrets-manager'
import {isPassing} from './failures.js'

type RetryStrategy = Extract<SecretsManagerClientConfig['retryStrategy'], {recordSuccess: unknown}>

const attempts = 5

/**
 * Tries again for about two seconds, because people wait for a log-in. The SDK's own strategy waits longer, and takes a
 * quota that is used up for a day for one that passes.
 */
export function retries(): RetryStrategy {
  const token = (count: number) => ({
    getRetryCount: () => count,
    getRetryDelay: () => 0, // the pause is over when the token is given
  })
  return {
    acquireInitialRetryToken: () => Promise.resolve(token(0)),
    async refreshRetryTokenForRetry(used, {error}) {
      const count = used.getRetryCount() + 1
      if (!(error instanceof Error) || !isPassing(error) || count >= attempts)
        throw new Error('not tried again')
      await sleep(100 * 2 ** count * (0.5 + Math.random() / 2))
      return token(count)
    },
    recordSuccess: () => undefined,
  }
}
