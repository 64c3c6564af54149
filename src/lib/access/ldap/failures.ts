import {ResultCodeError} from 'ldapts'
import {PpcError, Unavailable} from '../../errors.js'
import {ConnectionBroken} from './connection.js'
import type {LdapSettings} from './settings.js'
import {WaitedTooLong} from './turns.js'

/** The directory answers, but not as it must: it refuses the service account, wants TLS, or lacks what the config names. */
export class DirectoryFailed extends PpcError {
  readonly code = 'PPC_DIRECTORY_FAILED'
  override readonly statusCode = 503
}

/** Result codes of RFC 4511 §4.1.9 and appendix A. */
export const Result = {
  operationsError: 1,
  strongerAuthRequired: 8,
  referral: 10,
  confidentialityRequired: 13,
  undefinedAttributeType: 17,
  constraintViolation: 19,
  invalidAttributeSyntax: 21,
  noSuchObject: 32,
  invalidDnSyntax: 34,
  inappropriateAuthentication: 48,
  invalidCredentials: 49,
  insufficientAccessRights: 50,
  busy: 51,
  unavailable: 52,
  unwillingToPerform: 53,
} as const

/** Active Directory says operationsError. */
const searchRefusals = [
  Result.insufficientAccessRights,
  Result.operationsError,
  Result.inappropriateAuthentication,
  Result.unwillingToPerform,
]

export const hasResult = (error: unknown, ...codes: readonly number[]): boolean =>
  error instanceof ResultCodeError && codes.includes(error.code)

/** What an error of the directory means for the operator, in one sentence. Others come back as they are. */
export function explainDirectory(error: unknown, settings: LdapSettings): unknown {
  const names = settings.places.map(place => place.url).join(', ')
  const about = (message: string, url = names) => settings.about('auth.ldap.url', `${url} ${message}`)
  if (error instanceof WaitedTooLong) {
    return new Unavailable(about('has more to do than it can: too many wait for its answers'), {cause: error})
  }
  if (error instanceof ConnectionBroken) return explainBroken(error, settings, about)
  if (!(error instanceof ResultCodeError)) return error
  const options = {cause: error}
  if (hasResult(error, Result.busy, Result.unavailable)) {
    return new Unavailable(about('is busy or shutting down'), options)
  }
  if (hasResult(error, Result.strongerAuthRequired, Result.confidentialityRequired)) {
    const message = 'talks to nobody without TLS: write ldaps://, or auth.ldap.start_tls = true'
    return new DirectoryFailed(about(message), options)
  }
  if (hasResult(error, ...searchRefusals)) {
    const {serviceDn} = settings.values
    const message =
      serviceDn === undefined
        ? 'missing: the directory lets nobody search who has not logged in'
        : `the directory does not let ${serviceDn} search for users`
    return new DirectoryFailed(settings.about('auth.ldap.service_dn', message), options)
  }
  if (hasResult(error, Result.referral)) {
    return new DirectoryFailed(about('knows the users only by another server: name that one'), options)
  }
  return new DirectoryFailed(about(`answers with error ${error.code} (${error.name})`), options)
}

function explainBroken(
  error: ConnectionBroken,
  {startTls, timeoutMs}: LdapSettings,
  about: (message: string, url?: string) => string,
): PpcError {
  const {cause, place, reason} = error
  const options = {cause: error}
  if (reason === 'late') {
    return new Unavailable(about(`does not answer within ${timeoutMs / 1000} s`, place.url), options)
  }
  if (reason === 'plain') {
    return new DirectoryFailed(
      about('does not offer StartTLS, which auth.ldap.start_tls asks for', place.url),
      options,
    )
  }
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return new DirectoryFailed(about('has a certificate for another host name', place.url), options)
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO_(?:GET_ISSUER|VERIFY)/.test(code)) {
    const message = `has a certificate that can't be verified (${code}): name the file of its authority in auth.ldap.ca_cert`
    return new DirectoryFailed(about(message, place.url), options)
  }
  if ((place.tls || startTls) && /^ERR_SSL|^EPROTO/.test(code)) {
    return new DirectoryFailed(about(`does not speak TLS as it should (${code})`, place.url), options)
  }
  if (reason === 'refused') {
    return new Unavailable(about(`can't be reached${code === '' ? '' : ` (${code})`}`, place.url), options)
  }
  return new Unavailable(about('closed the connection', place.url), options)
}
