import {awsRetries} from '../../aws-retries.js'

const attempts = 6
const longestMs = 8000

/**
 * Tries again after throttling, server errors and broken connections, each time after a longer pause. The SDK's own
 * strategies give up for all requests together when many are throttled, as it happens while a large bucket is listed.
 */
export const s3Retries = () =>
  awsRetries(attempts, ({errorType}, count) => {
    const mayPass = errorType === 'THROTTLING' || errorType === 'TRANSIENT' || errorType === 'SERVER_ERROR'
    const firstMs = errorType === 'THROTTLING' ? 400 : 100
    return mayPass ? Math.min(longestMs, firstMs * 2 ** count) : undefined
  })
