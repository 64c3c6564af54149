import {PpcError, StorageFailed, Unavailable} from '../../errors.js'
import {DatabaseFailed} from '../../sql/failures.js'
import {unreachableCodes} from '../../network-errors.js'

/** Where messages point to. */
export interface DynamoOrigin {
  /** Config file. */
  readonly file: string
  /** `DynamoDB at http://127.0.0.1:8000` or `DynamoDB in AWS region eu-west-1`. */
  readonly service: string
  /** The key that names it: `db.host` or `db.region_name`. */
  readonly key: string
}

/**
 * Whether it may go better in a moment. `busy`: the table has less capacity than it is asked for. `clock`: this host's
 * clock is wrong, and the SDK has just learnt by how much.
 */
export type RetryKind = 'busy' | 'unreachable' | 'failing' | 'clock'

export function retryKind(error: unknown): RetryKind | undefined {
  if (!(error instanceof Error)) return undefined
  if (busy.has(error.name)) return 'busy'
  const status = statusOf(error)
  if (status !== undefined && status >= 500) return 'failing'
  if (unreachable.has(error.name) || unreachable.has(codeOf(error))) return 'unreachable'
  return metadataOf(error)?.clockSkewCorrected === true ? 'clock' : undefined
}

interface Meaning {
  /** Whether it is what `error` says. */
  is(error: Error): boolean
  readonly kind: new (message: string, options: {cause: unknown; hint?: string}) => PpcError
  /** The key to blame; the origin's by default. */
  readonly key?: string
  says(on: {service: string; table: string; error: Error}): string
  readonly hint?: string
}

const named =
  (pattern: RegExp) =>
  ({name}: Error): boolean =>
    pattern.test(name)
const keys = 'db.aws_access_key_id'

/** The first that fits counts. */
const meanings: readonly Meaning[] = [
  {
    is: error => retryKind(error) === 'busy',
    kind: Unavailable,
    says: ({table, error}) => `${table} is busy: raise its capacity or bill it on demand (${error.name})`,
  },
  {
    is: error => codeOf(error) === 'ENOTFOUND',
    kind: Unavailable,
    says: ({service}) => `${service} has no address: check the name, or the network`,
  },
  {
    is: error => retryKind(error) === 'unreachable' || retryKind(error) === 'failing',
    kind: Unavailable,
    says: ({service, error}) =>
      `${service} can't be reached now (${codeOf(error) || `${error.name} ${statusOf(error) ?? ''}`.trim()})`,
  },
  {
    is: named(/^ResourceNotFoundException$/),
    kind: Unavailable,
    says: ({table}) => `${table} is not there: pypicloud drops it during a rebuild, and a restart creates it`,
  },
  {
    is: named(/^(?:AccessDenied|NotAuthorized)/),
    kind: DatabaseFailed,
    key: keys,
    says: ({error}) => `these credentials lack a right: ${firstLine(error.message)}`,
    hint: 'docs/caches.md says under "DynamoDB" which rights are needed, on which tables.',
  },
  {
    is: named(/^ExpiredToken/),
    kind: DatabaseFailed,
    key: keys,
    says: () => 'the credentials have expired: renew them',
  },
  {
    is: named(
      /^(?:UnrecognizedClient|InvalidSignature|InvalidClientTokenId|MissingAuthenticationToken|IncompleteSignature|SignatureDoesNotMatch)/,
    ),
    kind: DatabaseFailed,
    key: keys,
    says: ({service, error}) => `${service} refuses these credentials (${error.name})`,
  },
  {
    is: named(/^(?:CredentialsProviderError|TokenProviderError)$/),
    kind: DatabaseFailed,
    key: keys,
    says: () =>
      'no AWS credentials were found: set it with db.aws_secret_access_key, or AWS_PROFILE, or a role',
  },
  {
    is: error => statusOf(error) === undefined && /region/i.test(error.message),
    kind: DatabaseFailed,
    key: 'db.region_name',
    says: ({error}) => firstLine(error.message),
  },
  {
    is: error => /^(?:EPROTO|ERR_SSL|HPE_)|CERT|SELF_SIGNED/.test(codeOf(error)),
    kind: DatabaseFailed,
    says: ({service, error}) =>
      `${service} does not speak as expected (${codeOf(error)}): check db.port and db.secure`,
  },
  {
    is: error => error instanceof SyntaxError && '$response' in error,
    kind: DatabaseFailed,
    says: ({service}) => `${service} does not answer as DynamoDB does: check the host and port`,
  },
  {
    is: named(/^LimitExceededException$/),
    kind: Unavailable,
    says: ({service, error}) => `${service} can't create a table now: ${firstLine(error.message)}`,
  },
  {
    is: isTooLarge,
    kind: StorageFailed,
    says: ({table}) =>
      `${table} takes no item of more than 400 KB: the summary or the metadata of a file is too long`,
  },
]

/** Says in one sentence what the service's error means and which key is to blame. What is a bug comes back as it is. */
export function explainDynamo(error: unknown, where: DynamoOrigin, table?: string): unknown {
  if (error instanceof PpcError || !(error instanceof Error)) return error
  const meaning = meanings.find(({is}) => is(error))
  if (meaning === undefined) return error
  const {kind: Kind, key = where.key, hint} = meaning
  const {service} = where
  const says = meaning.says({
    service,
    table: table === undefined ? service : `the table ${table} of ${service}`,
    error,
  })
  return new Kind(`${where.file}: ${key}: ${says}`, {cause: error, ...(hint !== undefined && {hint})})
}

/** By itself, or as the reason why a transaction was given up. */
function isTooLarge(error: Error): boolean {
  const {CancellationReasons: reasons = []} = error as {CancellationReasons?: {Message?: string}[]}
  const texts =
    error.name === 'ValidationException' ? [error.message] : reasons.map(({Message: text}) => text)
  return texts.some(text => /item size/i.test(text ?? ''))
}

const busy = new Set([
  'ProvisionedThroughputExceededException',
  'ThrottlingException',
  'RequestLimitExceeded',
  'TransactionInProgressException',
  'TransactionConflictException',
  'TooManyRequestsException',
])
const unreachable = new Set(unreachableCodes)

interface Metadata {
  readonly httpStatusCode?: number
  readonly clockSkewCorrected?: boolean
}
const metadataOf = (error: Error): Metadata | undefined => (error as {$metadata?: Metadata}).$metadata
/** Also of an answer that is no DynamoDB's, such as the page of a proxy. */
const statusOf = (error: Error): number | undefined =>
  metadataOf(error)?.httpStatusCode ?? (error as {$response?: {statusCode?: number}}).$response?.statusCode
const codeOf = (error: Error): string => ('code' in error && typeof error.code === 'string' ? error.code : '')
const firstLine = (text: string): string => text.split('\n', 1)[0] ?? ''
