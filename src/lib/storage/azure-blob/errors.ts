import {RestError} from '@azure/storage-blob'
import {PpcError, StorageFailed, Unavailable} from '../../errors.js'
import {identityFailure} from './identity.js'

/** How the settings to blame are called in messages: `server.ini:14: storage.storage_account_key`. */
export interface AzureSettings {
  /** What the credentials come from. */
  readonly credentials: string
  /** When they end, where that is known. */
  readonly expire?: Date
  /** What gives the rights that are needed, one sentence. */
  readonly advice?: string
  /** What the address of the service comes from. */
  readonly address: string
  readonly container: string
}

/** The service's own word for what went wrong (`BlobNotFound`), or that of the network (`ECONNREFUSED`). */
export function azureCode(error: unknown): string | undefined {
  if (!(error instanceof RestError)) return undefined
  // answers to HEAD have no body, which is where the SDK looks
  return error.response?.headers.get('x-ms-error-code') ?? error.code
}
export const azureStatus = (error: unknown): number | undefined =>
  error instanceof RestError ? error.statusCode : undefined

/** That the container is there and the blob is not. */
export const isBlobMissing = (error: unknown): boolean =>
  azureStatus(error) === 404 && !['ContainerNotFound', 'ResourceNotFound'].includes(azureCode(error) ?? '')
export const isContainerMissing = (error: unknown): boolean => azureCode(error) === 'ContainerNotFound'
/** That `If-None-Match` or `If-Match` was not kept. */
export const isConditionFailed = (error: unknown): boolean =>
  ['ConditionNotMet', 'TargetConditionNotMet', 'BlobAlreadyExists'].includes(azureCode(error) ?? '')
export const isForbidden = (error: unknown): boolean => [401, 403].includes(azureStatus(error) ?? 0)

const networkReasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENOTFOUND: 'the host has no address',
  EAI_AGAIN: 'names of hosts are not resolved now',
  ETIMEDOUT: 'no answer in time',
  ECONNRESET: 'the connection was cut',
  EPIPE: 'the connection was cut',
  REQUEST_SEND_ERROR: 'the request could not be sent',
  PARSE_ERROR: 'the answer was cut short',
}
/** A host without an address is a wrong setting; a resolver that does not answer is EAI_AGAIN. */
const lastingReasons = new Set(['ENOTFOUND'])
const transientStatus = new Set([408, 429, 500, 502, 503, 504])
/** Of 400 and 409: a body that was damaged on its way, a container that is going away or coming back. */
const transientCodes = new Set(['Md5Mismatch', 'ContainerBeingDeleted', 'OperationTimedOut', 'ServerBusy'])

/** Whether the same request may succeed a moment later. The SDK's own abortion is one of ours: a request took too long. */
export function isTransient(error: unknown): boolean {
  const code = azureCode(error)
  return (
    isTimeout(error) ||
    transientStatus.has(azureStatus(error) ?? 0) ||
    (code !== undefined && isPassing(code))
  )
}
const isPassing = (code: string): boolean =>
  (code in networkReasons && !lastingReasons.has(code)) || transientCodes.has(code)
const isTimeout = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError'

/**
 * What the SDK threw as one sentence. Errors of ours, and of the body that was being stored, are returned as they are.
 * @param what `foo/foo-1.0.zip was not stored in azure://account/container`
 */
export function azureFailure(error: unknown, what: string, settings: AzureSettings): unknown {
  if (error instanceof PpcError) return error
  const withoutToken = identityFailure(error, what)
  if (withoutToken) return withoutToken
  if (isTimeout(error)) {
    return new Unavailable(`${what}: the service did not answer in time`, {cause: error})
  }
  if (!(error instanceof RestError)) return error
  const status = azureStatus(error)
  const code = azureCode(error)
  if (status === undefined) {
    const reason = networkReasons[code ?? ''] ?? `the service can't be reached (${code ?? error.name})`
    return new Unavailable(`${what}: ${reason}; the address is that of ${settings.address}`, {cause: error})
  }
  if (isTransient(error)) {
    return new Unavailable(`${what}: the service answered ${status}${inBrackets(code)}; try again later`, {
      cause: error,
    })
  }
  const hint = status === 403 && !isExpired(settings) ? settings.advice : undefined
  return new StorageFailed(`${what}: ${refusal(error, settings)}`, {cause: error, ...(hint ? {hint} : {})})
}

const isExpired = ({expire}: AzureSettings): boolean => expire !== undefined && expire.getTime() < Date.now()

/** Of credentials that are wrong, with various statuses. */
const notAccepted = new Set([
  'AuthenticationFailed',
  'NoAuthenticationInformation',
  'InvalidAuthenticationInfo',
])

function refusal(error: RestError, settings: AzureSettings): string {
  const status = azureStatus(error) ?? 0
  const code = azureCode(error)
  if (code === 'ContainerNotFound') return `there is no such container; see ${settings.container}`
  if (code === 'ResourceNotFound') return `the service knows no such account; see ${settings.address}`
  if (code === 'BlobArchived') return 'the blob is in the archive tier: bring it back to an online tier first'
  if (status === 407) return 'the proxy of HTTPS_PROXY wants other credentials'
  if ([401, 403].includes(status) && isExpired(settings)) {
    return `${settings.credentials} has expired on ${settings.expire?.toISOString()}`
  }
  if (code === 'KeyBasedAuthenticationNotPermitted') {
    return `the storage account takes no keys: instead of ${settings.credentials}, give the process an identity`
  }
  if (code === 'AuthorizationFailure') {
    return `the service does not accept ${settings.credentials} for that, or the firewall of the storage account keeps this host out (${code})`
  }
  if ((code !== undefined && notAccepted.has(code)) || status === 401) {
    return `the service does not accept ${settings.credentials} (${code ?? status}), or the clock of this host is wrong`
  }
  if (status === 403) return `${settings.credentials} gives no right to do that${inBrackets(code)}`
  return `the service answered ${status}${inBrackets(code)}`
}

const inBrackets = (code: string | undefined) => (code === undefined ? '' : ` (${code})`)
