import {PpcError, Unavailable} from '../../errors.js'
import {unreachableCodes} from '../../network-errors.js'

/** AWS refuses a call: a missing right, a limit of the account, something that contradicts. */
export class AwsFailed extends PpcError {
  readonly code = 'PPC_AWS_FAILED'
}

interface ServiceError extends Error {
  readonly $metadata?: {readonly httpStatusCode?: number}
}

/**
 * One sentence for what the SDK throws.
 * @param action as IAM calls it: `lambda:CreateFunction`. @param resource what it was about.
 */
export function explainAws(error: unknown, action: string, resource: string): unknown {
  if (!(error instanceof Error) || error instanceof PpcError) return error
  const status = (error as ServiceError).$metadata?.httpStatusCode
  const cause = {cause: error}
  const text = error.message.split('\n')[0] ?? ''
  if (error.name === 'CredentialsProviderError') {
    return new AwsFailed(`the AWS environment gives no credentials: ${text}`, {
      ...cause,
      hint: 'Set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.',
    })
  }
  if (/^AccessDenied|^UnauthorizedOperation|^Forbidden/.test(error.name) || status === 403) {
    return new AwsFailed(`the AWS credentials lack the right ${action} on ${resource} (${error.name})`, {
      ...cause,
      hint: 'Nothing that was made so far is lost: give it to them and run this again.',
    })
  }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
  if (unreachableCodes.includes(code) || (status !== undefined && status >= 500)) {
    return new Unavailable(`${action}: AWS can't be reached now: ${text || code}`, cause)
  }
  if (status === undefined) return error
  return new AwsFailed(`AWS refuses ${action} on ${resource}: ${text || error.name}`, cause)
}

/** @param names of errors of the SDK. */
export const isNamed = (error: unknown, ...names: readonly string[]): boolean => {
  const found = error instanceof PpcError ? error.cause : error
  return found instanceof Error && names.includes(found.name)
}

/** What AWS said, whoever explained it. */
export const wordsOf = (error: unknown): string => {
  const found = error instanceof PpcError ? error.cause : error
  return found instanceof Error ? found.message : ''
}
