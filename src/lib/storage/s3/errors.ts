import {PpcError, StorageFailed, Unavailable} from '../../errors.js'
import {connectionFailure, proxyFailure} from './connection.js'
import type {S3Settings} from './settings.js'

/** What the SDK puts on an error beside name and message. */
interface ServiceError extends Error {
  readonly $metadata?: {readonly httpStatusCode?: number; readonly attempts?: number}
  readonly $response?: {readonly headers?: Readonly<Record<string, string>>}
  readonly Region?: string
}
const asServiceError = (error: unknown): ServiceError | undefined =>
  error instanceof Error ? error : undefined

export const statusOf = (error: unknown): number | undefined =>
  asServiceError(error)?.$metadata?.httpStatusCode
/** How often the request was sent. */
export const attemptsOf = (error: unknown): number => asServiceError(error)?.$metadata?.attempts ?? 1
const nameOf = (error: unknown): string => asServiceError(error)?.name ?? ''

const missingObject = new Set(['NoSuchKey', 'NotFound', 'NoSuchVersion', 'NoSuchUpload'])
export const isObjectMissing = (error: unknown): boolean =>
  missingObject.has(nameOf(error)) && statusOf(error) === 404
/** As the SDK says that HEAD found nothing. */
export const missingObjectError = (): Error =>
  Object.assign(new Error('Not Found'), {name: 'NotFound', $metadata: {httpStatusCode: 404}})
export const isBucketMissing = (error: unknown): boolean =>
  nameOf(error) === 'NoSuchBucket' || (statusOf(error) === 404 && nameOf(error) === 'NotFound')
export const isPreconditionFailed = (error: unknown): boolean => statusOf(error) === 412
/** Two writers at one moment: neither has won yet. */
export const isWriteConflict = (error: unknown): boolean =>
  statusOf(error) === 409 && /^(?:ConditionalRequestConflict|OperationAborted)$/.test(nameOf(error))
export const isNotImplemented = (error: unknown): boolean =>
  statusOf(error) === 501 || ['NotImplemented', 'InvalidArgument', 'InvalidRequest'].includes(nameOf(error))
/** As the SDK calls an error of which it has the status and nothing else. */
const isNameless = (error: unknown): boolean => /^(?:\d+|Unknown|UnknownError)$/.test(nameOf(error))
/** A HEAD is refused without a word: somebody has to ask again to learn why. */
export const isUnexplained = (error: unknown): boolean => {
  const status = statusOf(error)
  return (
    (status === 400 || status === 403) &&
    (isNameless(error) || /^(?:Forbidden|BadRequest)$/.test(nameOf(error)))
  )
}

/** The region in which the bucket is, where the service says that it is another one than ours. */
export function otherRegion(error: unknown): string | undefined {
  const failure = asServiceError(error)
  if (failure === undefined || ![301, 307, 400].includes(statusOf(error) ?? 0)) return undefined
  return (
    failure.$response?.headers?.['x-amz-bucket-region'] ??
    failure.Region ??
    /expecting ['"]([a-z0-9-]+)['"]/.exec(failure.message)?.[1]
  )
}

/** An error of the SDK as one sentence that names what to change; every other error is returned as it is. */
export function s3Failure(error: unknown, what: string, settings: S3Settings): unknown {
  if (!(error instanceof Error) || error instanceof PpcError) return error
  const refused = refusal(nameOf(error), error.message, settings)
  if (refused !== undefined) return new StorageFailed(`${what}: ${refused}`, {cause: error})
  const region = otherRegion(error)
  if (region !== undefined)
    return new StorageFailed(`${what}: ${wrongRegion(region, settings)}`, {cause: error})
  const connection = connectionFailure(error, what, settings)
  if (connection !== undefined) return connection
  const status = statusOf(error)
  if (status === undefined) return error
  if (status >= 500 || status === 429) {
    return new Unavailable(`${what}: the service answers ${status} ${nameOf(error)}, also when asked again`, {
      cause: error,
    })
  }
  if (status === 407) return proxyFailure(error, what, settings)
  if (status === 403) return new StorageFailed(`${what}: ${notAllowed(settings)}`, {cause: error})
  const reason = isNameless(error) ? 'and does not say why' : `${nameOf(error)}: ${error.message}`
  return new StorageFailed(`${what}: the service answers ${status} ${reason}`, {cause: error})
}

function refusal(code: string, message: string, settings: S3Settings): string | undefined {
  const {place, values} = settings
  const own = values.accessKeyId !== undefined
  const source = own
    ? place('storage.aws_access_key_id')
    : 'the AWS environment (storage.aws_access_key_id is not set)'
  switch (code) {
    case 'CredentialsProviderError':
      return noCredentials()
    case 'InvalidAccessKeyId':
    case 'XAdminUserNotFound': // of versitygw
      return `the service does not know the access key of ${source}`
    case 'SignatureDoesNotMatch':
      return own
        ? `the secret key does not belong to the access key: see ${place('storage.aws_secret_access_key')}`
        : `the secret key of ${source} does not belong to the access key`
    case 'ExpiredToken':
    case 'ExpiredTokenException':
    case 'TokenRefreshRequired':
      return `the credentials of ${own ? place('storage.aws_session_token') : source} have expired`
    case 'InvalidToken':
      return `the session token of ${own ? place('storage.aws_session_token') : source} is not valid`
    case 'RequestTimeTooSkewed':
      return 'the clock of this machine is wrong by more than the service allows'
    case 'AccessDenied':
    case 'AllAccessDisabled':
      return notAllowed(settings)
    case 'NoSuchBucket':
      return `there is no bucket ${values.bucket} any more: see ${place('storage.bucket')}`
    case 'InvalidBucketName':
      return `${place('storage.bucket')}: ${values.bucket} is no name that a bucket can have`
    case 'InvalidObjectState':
      return 'the object is archived, so it must be restored before it can be read'
    case 'InvalidStorageClass':
      return `${place('storage.storage_class')}: the service does not know that storage class`
    case 'AccessControlListNotSupported':
      return `${place('storage.object_acl')}: the bucket takes no ACLs`
    case 'MetadataTooLarge':
    case 'EntityTooLarge':
    case 'QuotaExceeded':
      return message
    default:
      return /^KMS\./.test(code) ? `${place('storage.server_side_encryption')}: ${message}` : undefined
  }
}

const noCredentials = (profile = process.env['AWS_PROFILE']): string =>
  `there are no credentials${profile ? ` in the profile ${profile} (AWS_PROFILE) or elsewhere` : ''}: ` +
  'set storage.aws_access_key_id and storage.aws_secret_access_key, or give the process an AWS profile or role'

const notAllowed = ({place, values}: S3Settings): string =>
  `the credentials (${values.accessKeyId === undefined ? 'of the AWS environment' : place('storage.aws_access_key_id')}) do not have the right to do that in the bucket of ${place('storage.bucket')}`

export const wrongRegion = (region: string, {place, values}: S3Settings): string =>
  `the bucket ${values.bucket} is in the region ${region}: write storage.region_name = ${region} (${values.regionName === undefined ? 'it is not set' : `${place('storage.region_name')} is ${values.regionName}`})`
