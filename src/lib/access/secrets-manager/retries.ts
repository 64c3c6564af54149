import {awsRetries} from '../../aws-retries.js'
import {isPassing} from './failures.js'

const attempts = 5

/**
 * Tries again for about two seconds, because people wait for a log-in. The SDK's own strategy waits longer, and takes a
 * quota that is used up for a day for one that passes.
 */
export const retries = () =>
  awsRetries(attempts, ({error}, count) =>
    error instanceof Error && isPassing(error) ? 100 * 2 ** count : undefined,
  )
