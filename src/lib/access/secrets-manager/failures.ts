import {PpcError, StorageFailed, Unavailable} from '../../errors.js'
import {DatabaseFailed} from '../../sql/failures.js'
import {maxSecretBytes} from './size.js'
import {unreachableCodes} from '../../network-errors.js'

/** Where messages point to. */
export interface SecretOrigin {
  /** `server.ini:14: auth.region_name`, or without a line where nothing sets the key. */
  place(key: string): string
  /** `the secret "pypicloud/rules" in AWS region eu-west-1` */
  readonly secret: string
}

export const nameOf = (error: unknown): string => (error instanceof Error ? error.name : '')

/** Says in one sentence what the service's error means and which key is to blame. What is a bug comes back as it is. */
export function explainSecretsManager(error: unknown, {place, secret}: SecretOrigin): unknown {
  if (error instanceof PpcError || !(error instanceof Error)) return error
  const options = {cause: error}
  const {name} = error
  const text = firstLine(error.message)
  const keys = place('auth.aws_access_key_id')
  if (/^(?:AccessDenied|NotAuthorized|UnauthorizedOperation)/.test(name)) {
    return new DatabaseFailed(`${keys}: these credentials lack a right: ${text}`, {
      ...options,
      hint: 'Reading needs secretsmanager:GetSecretValue; changes need PutSecretValue, UpdateSecretVersionStage and CreateSecret, and UpdateSecret with auth.kms_key_id.',
    })
  }
  if (/^(?:ExpiredToken|RequestExpired)/.test(name)) {
    return new DatabaseFailed(`${keys}: the credentials have expired: renew them`, options)
  }
  if (refusals.test(name)) {
    return new DatabaseFailed(`${keys}: AWS refuses these credentials (${name})`, options)
  }
  if (/^(?:CredentialsProviderError|TokenProviderError)$/.test(name)) {
    return new DatabaseFailed(
      `${keys}: no AWS credentials were found: set it with auth.aws_secret_access_key, or auth.profile_name, or a role`,
      options,
    )
  }
  if (/^Region is missing|^Invalid region/i.test(error.message)) {
    return new DatabaseFailed(
      `${place('auth.region_name')}: missing: nothing names the region of ${secret}`,
      options,
    )
  }
  const at = place('auth.secret_id')
  if (/^(?:DecryptionFailure|EncryptionFailure|KMS)/.test(name)) {
    return new DatabaseFailed(
      `${place('auth.kms_key_id')}: the key of ${secret} can't be used: ${text}`,
      options,
    )
  }
  if (name === 'LimitExceededException') {
    return new StorageFailed(
      `${at}: ${secret} was changed too often: AWS keeps a hundred versions, each for a day; try again later (${text})`,
      options,
    )
  }
  if (name === 'InvalidRequestException') {
    return new DatabaseFailed(`${at}: ${secret} can't be used: ${text}`, options)
  }
  if (isPassing(error)) {
    const reason = codeOf(error) || [name, statusOf(error)].filter(Boolean).join(' ')
    return new Unavailable(`${at}: ${secret} can't be reached now (${reason})`, options)
  }
  if (statusOf(error) !== undefined) {
    return new DatabaseFailed(`${at}: AWS refuses ${secret}: ${text} (${name})`, options)
  }
  return error
}

/** @throws {StorageFailed} when AWS would refuse it. */
export function checkSize(text: string, {place, secret}: SecretOrigin): void {
  const bytes = Buffer.byteLength(text)
  if (bytes <= maxSecretBytes) return
  throw new StorageFailed(
    `${place('auth.secret_id')}: the change was not made: the rules would take ${bytes} bytes, and ${secret} holds ${maxSecretBytes}`,
    {hint: 'Move to pypi.auth = sql, which has no such limit: ppc-export this.ini | ppc-import sql.ini.'},
  )
}

const refusals =
  /^(?:UnrecognizedClient|InvalidSignature|InvalidClientTokenId|InvalidAccessKeyId|MissingAuthenticationToken|IncompleteSignature|SignatureDoesNotMatch)/
const passing = new Set([...unreachableCodes, 'ThrottlingException', 'TooManyRequestsException'])

/** It may go better in a moment. A cut-off answer is no JSON. */
export const isPassing = (error: Error): boolean =>
  passing.has(error.name) ||
  passing.has(codeOf(error)) ||
  error instanceof SyntaxError ||
  (statusOf(error) ?? 0) >= 500 ||
  statusOf(error) === 429

const codeOf = (error: Error): string => ('code' in error && typeof error.code === 'string' ? error.code : '')
const statusOf = (error: Error): number | undefined =>
  (error as {$metadata?: {httpStatusCode?: number}}).$metadata?.httpStatusCode
const firstLine = (text: string): string => text.split('\n', 1)[0] ?? ''
