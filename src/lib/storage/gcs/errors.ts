import {PpcError, StorageFailed, Unavailable} from '../../errors.js'
import {errorCode} from '../file/errors.js'

/** The service answered with a status of 400 and more. */
export class GcsRefusal extends Error {
  readonly status: number
  /** Who asked, for messages: `server.ini:12: storage.gcp_service_account_json_filename`. */
  readonly who: string

  /** @param body JSON of the service, or whatever a proxy in between wrote. */
  constructor(status: number, body: string, who: string) {
    super(reasonIn(body) ?? `status ${status}`)
    this.status = status
    this.who = who
  }
}
/** The connection stayed open and nothing came. */
export class SilentService extends Error {}
/** The session of a resumable upload is gone: it has to begin again. */
export class SessionLost extends Error {}
/** The body of an answer ended too early, or a part of an upload did not arrive whole. */
export class CutShort extends Error {}
export class NotJson extends Error {
  constructor(cause: unknown) {
    super('the answer is no JSON', {cause})
  }
}

const networkReasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'the connection is refused',
  ECONNRESET: 'the connection was cut',
  ECONNABORTED: 'the connection was cut',
  EPIPE: 'the connection was cut',
  ETIMEDOUT: 'it does not answer',
  ENOTFOUND: 'its name is unknown',
  EAI_AGAIN: 'its name can not be looked up now',
  EHOSTUNREACH: 'there is no way to the host',
  ENETUNREACH: 'there is no way to the network',
}
const transientStatuses: ReadonlySet<number> = new Set([408, 429, 500, 502, 503, 504])

/** Of status 407. */
export const proxyReason = 'the proxy of HTTPS_PROXY wants other credentials'

/** Undefined for what does not come from the network. */
export const networkReason = (error: unknown): string | undefined => {
  if (error instanceof SilentService) return 'it does not answer'
  if (error instanceof CutShort || error instanceof SessionLost || error instanceof NotJson) {
    return error.message
  }
  return networkReasons[errorCode(error) ?? '']
}

/** Another attempt may succeed. */
export const isTransient = (error: unknown): boolean =>
  error instanceof GcsRefusal ? transientStatuses.has(error.status) : networkReason(error) !== undefined

/** The object is not there. That its bucket is not there is another matter. */
export const isMissingObject = (error: unknown): boolean =>
  error instanceof GcsRefusal && error.status === 404 && !/bucket does not exist/i.test(error.message)
export const hasStatus = (error: unknown, status: number): boolean =>
  error instanceof GcsRefusal && error.status === status

/** What the service or the network says, as one sentence; every other error is returned as it is. */
export function gcsFailure(error: unknown, what: string): unknown {
  if (error instanceof PpcError) return error
  if (error instanceof GcsRefusal) return refusalFailure(error, what)
  const reason = networkReason(error) ?? tlsReason(error)
  if (reason === undefined) return error
  return new Unavailable(`${what}: ${reason}`, {
    cause: error,
    hint: 'Try again; if it stays so, check the network, the proxy of HTTPS_PROXY if there is one, and storage.gcp_api_endpoint.',
  })
}

function refusalFailure(error: GcsRefusal, what: string): PpcError {
  if (isTransient(error)) {
    return new Unavailable(`${what}: the service answers ${error.status}: ${error.message}`, {cause: error})
  }
  const hint = hintFor(error)
  return new StorageFailed(`${what}: ${refusal(error)}`, {cause: error, ...(hint ? {hint} : {})})
}

function refusal({status, who, message}: GcsRefusal): string {
  if (status === 401) return `the service does not accept ${who}: ${message}`
  if (status === 403) return `not allowed with ${who}: ${message}`
  if (status === 407) return proxyReason
  return message
}

function hintFor({status, message}: GcsRefusal): string | undefined {
  if (/access control|\bacl\b/i.test(message)) {
    return 'Remove storage.object_acl where the bucket has uniform access, else check its value.'
  }
  if (/storage ?class/i.test(message)) return 'Check storage.storage_class.'
  if (status === 401) return 'The key may be deleted or disabled, or the clock of this host wrong.'
  if (status === 403 && /access|permission|scope/i.test(message)) {
    return 'Give the service account the role "Storage Object Admin" on the bucket, or name the key of another one with storage.gcp_service_account_json_filename.'
  }
  if (status === 404) return 'Check storage.bucket.'
  return undefined
}

function tlsReason(error: unknown): string | undefined {
  const code = errorCode(error) ?? ''
  return /CERT|TLS|SSL|EPROTO|HPE_/.test(code) && error instanceof Error ? error.message : undefined
}

/** `{"error": {"message": …}}`, or the first line of a text. */
function reasonIn(body: string): string | undefined {
  try {
    const {error} = JSON.parse(body) as {error?: {message?: unknown}}
    if (typeof error?.message === 'string' && error.message !== '') return oneLine(error.message)
  } catch {
    // not from the service itself
  }
  return body.trimStart().startsWith('<') ? undefined : oneLine(body) || undefined
}

const oneLine = (message: string) =>
  message
    .replace(/[\s\x00-\x1f\x7f]+/g, ' ')
    .trim()
    .slice(0, 300)
