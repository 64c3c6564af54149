import {StorageFailed, Unavailable} from '../../errors.js'
import {connectionProblem} from './connection.js'
import type {S3Api} from './api.js'
import {statusOf} from './errors.js'

/**
 * Finds the credentials before anything is asked with them: what fails here is no fault of the bucket or its service.
 * @throws {StorageFailed} @throws {Unavailable} when who gives them out can't be reached.
 */
export async function findCredentials(api: S3Api, what: string): Promise<void> {
  try {
    await api.credentials()
  } catch (error) {
    if (!(error instanceof Error) || error.name === 'CredentialsProviderError') throw error
    const status = statusOf(error)
    const isAway = (status ?? 0) >= 500 || connectionProblem(error) !== undefined
    const reason = status === undefined ? error.message : `${error.name}: ${error.message}`
    throw new (isAway ? Unavailable : StorageFailed)(
      `${what}: the AWS environment gives no credentials: ${reason.split('\n')[0] ?? ''} (or set storage.aws_access_key_id)`,
      {cause: error},
    )
  }
}
