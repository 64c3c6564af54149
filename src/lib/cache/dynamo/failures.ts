import {PpcError, Unavailable} from '../../errors.js'
import {DatabaseFailed} from '../../sql/failures.js'

/** Where messages point to. */
export interface DynamoOrigin {
  /** Config file. */
  readonly file: string
  /** `http://127.0.0.1:8000` or `AWS region eu-west-1`. */
  readonly service: string
  /** The key that names it: `db.host` or `db.region_name`. */
  readonly key: string
}

/** Whether it may go better in a moment. `busy`: the table has less capacity than it is asked for. */
export function retryKind(error: unknown): 'busy' | 'unreachable' | 'failing' | undefined {
  if (!(error instanceof Error)) return undefined
  if (busy.has(error.name)) return 'busy'
  const status = statusOf(error)
  if (status !== undefined && status >= 500) return 'failing'
  if (unreachable.has(error.name) || unreachable.has(codeOf(error))) return 'unreachable'
  return undefined
}

/** Says in one sentence what the service's error means and which key is to blame. What is a bug comes back as it is. */
export function explainDynamo(error: unknown, where: DynamoOrigin, table?: string): unknown {
  if (error instanceof PpcError || !(error instanceof Error)) return error
  const options = {cause: error}
  const at = `${where.file}: ${where.key}`
  const code = codeOf(error)
  const on = table === undefined ? where.service : `the table ${table} of ${where.service}`
  const keys = `${where.file}: db.aws_access_key_id`
  if (retryKind(error) === 'busy') {
    return new Unavailable(
      `${at}: ${on} is busy: raise its capacity or bill it on demand (${error.name})`,
      options,
    )
  }
  if (code === 'ENOTFOUND') {
    return new Unavailable(`${at}: ${where.service} has no address: check the name, or the network`, options)
  }
  if (retryKind(error) !== undefined) {
    return new Unavailable(
      `${at}: ${where.service} can't be reached now (${code || `${error.name} ${statusOf(error) ?? ''}`.trim()})`,
      options,
    )
  }
  if (error.name === 'ResourceNotFoundException') {
    return new Unavailable(
      `${at}: ${on} is not there: pypicloud drops it during a rebuild, and a restart creates it`,
      options,
    )
  }
  if (/^(?:AccessDenied|NotAuthorized)/.test(error.name)) {
    return new DatabaseFailed(`${keys}: these credentials lack a right: ${firstLine(error.message)}`, options)
  }
  if (/^ExpiredToken/.test(error.name)) {
    return new DatabaseFailed(`${keys}: the credentials have expired: renew them`, options)
  }
  if (
    /^(?:UnrecognizedClient|InvalidSignature|InvalidClientTokenId|MissingAuthenticationToken|IncompleteSignature|SignatureDoesNotMatch)/.test(
      error.name,
    )
  ) {
    return new DatabaseFailed(`${keys}: ${where.service} refuses these credentials (${error.name})`, options)
  }
  if (/^(?:CredentialsProviderError|TokenProviderError)$/.test(error.name)) {
    return new DatabaseFailed(
      `${keys}: no AWS credentials were found: set it with db.aws_secret_access_key, or AWS_PROFILE, or a role`,
      options,
    )
  }
  if (/region/i.test(error.message) && statusOf(error) === undefined) {
    return new DatabaseFailed(`${where.file}: db.region_name: ${firstLine(error.message)}`, options)
  }
  if (error.name === 'LimitExceededException') {
    return new Unavailable(
      `${at}: ${where.service} can't create a table now: ${firstLine(error.message)}`,
      options,
    )
  }
  return error
}

const busy = new Set([
  'ProvisionedThroughputExceededException',
  'ThrottlingException',
  'RequestLimitExceeded',
  'TransactionInProgressException',
  'TransactionConflictException',
  'TooManyRequestsException',
])
const unreachable = new Set([
  ...['TimeoutError', 'RequestTimeout', 'NetworkingError'],
  ...[
    'ECONNREFUSED',
    'ECONNRESET',
    'EPIPE',
    'ETIMEDOUT',
    'EAI_AGAIN',
    'EHOSTUNREACH',
    'ENETUNREACH',
    'ENOTFOUND',
  ],
])

const codeOf = (error: Error): string => ('code' in error && typeof error.code === 'string' ? error.code : '')
const statusOf = (error: Error): number | undefined =>
  (error as {$metadata?: {httpStatusCode?: number}}).$metadata?.httpStatusCode
const firstLine = (text: string): string => text.split('\n', 1)[0] ?? ''
