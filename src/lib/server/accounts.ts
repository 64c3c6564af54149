import {checkUsername} from '../access/names.js'
import {hashPassword, resolveScheme} from '../access/passwords/index.js'
import type {Verified} from '../access/logins.js'
import {readSignupToken} from '../access/tokens.js'
import {passwordFields, tokenFields} from '../config/schema/access.js'
import {InvalidInput} from '../errors.js'
import {requireWriter, type Context} from './context.js'
import {forbidden, HttpError} from './http/errors.js'

/** Of a user name and of a password, in characters (COMPAT §5.8). */
export const maxLength = 100

/** As `auth.scheme` and `auth.rounds` say. */
export function hashFor(context: Context, password: string): Promise<string> {
  const {scheme, rounds} = context.config.read(passwordFields)
  return hashPassword(password, {scheme: resolveScheme(scheme), rounds})
}

/**
 * A stranger makes an account: the first one of an installation that never had an administrator becomes it, others
 * wait for approval, if registration is on.
 * @returns the administrator, who is logged in. @throws {HttpError} 400 or 403.
 */
export async function register(
  context: Context,
  name: string,
  password: string,
): Promise<Verified | undefined> {
  const {writer} = context.access
  if (!writer) throw forbidden()
  const first = await writer.needsAdmin()
  if (!first && !(await context.access.allowsRegistration())) throw forbidden()
  const username = name.trim()
  checkRegistration(username, password)
  const known = await context.access.findAccount(username)
  if (known) {
    throw coded(
      known.pending ? `User '${username}' has already registered!` : `User '${username}' already exists!`,
    )
  }
  const passwordHash = await hashFor(context, password)
  if (first && (await writer.claimFirstAdmin(username, passwordHash))) {
    context.log.warn({user: username}, 'the first user has become administrator')
    return {identity: {username, admin: true, groups: []}, passwordHash}
  }
  if (!(await context.access.allowsRegistration())) throw forbidden() // another one was first
  await writer.addAccount({username, passwordHash, admin: false, pending: true})
  return undefined
}

/** Whether `register` would let a stranger in, and as what. */
export async function registrationOf({access}: Context): Promise<'first admin' | 'open' | 'closed'> {
  if (!access.writer) return 'closed'
  if (await access.writer.needsAdmin()) return 'first admin'
  return (await access.allowsRegistration()) ? 'open' : 'closed'
}

/** Makes the account that a signup token is for. @returns who is logged in. @throws {HttpError} 400. */
export async function registerByToken(context: Context, token: string, password: string): Promise<Verified> {
  const writer = requireWriter(context.access)
  const username = userOfToken(context, token)
  if (username === undefined) throw new HttpError(400, 'Invalid token')
  checkRegistration(username, password)
  const passwordHash = await hashFor(context, password)
  await writer.addAccount({username, passwordHash, admin: false, pending: false})
  context.log.info({user: username}, 'registered by a signup token')
  return {identity: {username, admin: false, groups: []}, passwordHash}
}

/** Undefined for a token that is not valid. */
export function userOfToken({config}: Context, token: string): string | undefined {
  const {signingKey, tokenExpire} = config.read(tokenFields)
  return readSignupToken(token, {key: signingKey, expireSeconds: tokenExpire})
}

/**
 * @param address from where it is asked: wrong passwords slow this down as they do log-ins
 * @throws {HttpError} 403 when `old` is wrong. @throws {TooManyAttempts}
 */
export async function changePassword(
  context: Context,
  {username, old, wanted, address}: {username: string; old: string; wanted: string; address: string},
): Promise<Verified> {
  const writer = requireWriter(context.access)
  const verified = await context.policy.verify(username, old, address)
  if (!verified) throw forbidden()
  const passwordHash = await hashFor(context, wanted)
  // Only over the hash that was just verified: of two changes at once, one fails.
  const written = await writer.setPasswordHash(username, passwordHash, verified.passwordHash)
  if (!written) throw new HttpError(409, 'The password was changed meanwhile')
  return {identity: verified.identity, passwordHash}
}

function checkRegistration(username: string, password: string): void {
  if (username.length < 1 || username.length > maxLength) {
    throw coded(`Username must be between 1 and ${maxLength} characters`)
  }
  if (password.length > maxLength) throw coded(`Password cannot exceed ${maxLength} characters`)
  try {
    checkUsername(username)
  } catch (error) {
    throw error instanceof InvalidInput ? coded(error.message) : error
  }
}

const coded = (message: string): HttpError => new HttpError(400, message, {form: 'coded'})
