import {InvalidInput} from '../../errors.js'
import {isPoolStarted, runInPool} from './pool.js'
import {maxStoredRounds, passwordSchemes, type PasswordScheme} from './scheme.js'
import {findScheme, schemes} from './schemes.js'
import work, {type PasswordTask} from './worker.js'

export {passwordSchemes, type PasswordScheme}

/** passlib's limit, in characters. */
const maxLength = 4096
const lengthOf = (password: string): number =>
  password.length <= maxLength ? password.length : Array.from(password).length

export interface HashOptions {
  /** Default: sha512_crypt. */
  readonly scheme?: PasswordScheme | undefined
  /** Raised or cut to what the scheme allows; default: the scheme's own. For bcrypt the logarithm. */
  readonly rounds?: number | undefined
}

/** `auth.scheme` may also have two short names (COMPAT §1.8). */
export function resolveScheme(name: PasswordScheme | 'sha' | 'pbkdf2'): PasswordScheme {
  if (name === 'sha') return 'sha512_crypt'
  return name === 'pbkdf2' ? 'pbkdf2_sha512' : name
}

/** `rounds` as the scheme will use it. */
export function clampRounds(scheme: PasswordScheme, rounds?: number): number {
  const limits = schemes[scheme].rounds
  if (rounds === undefined || Number.isNaN(rounds)) return limits.default
  return Math.min(limits.max, Math.max(limits.min, Math.trunc(rounds)))
}

/**
 * Hashes in passlib's encoding, with a random salt.
 * @throws {InvalidInput} for a NUL or more than 4096 characters, and for rounds that could never be verified
 */
export async function hashPassword(password: string, options: HashOptions = {}): Promise<string> {
  if (password.includes('\0')) throw new InvalidInput('a password cannot hold a NUL character')
  if (lengthOf(password) > maxLength) {
    throw new InvalidInput(`a password cannot have more than ${maxLength} characters`)
  }
  const scheme = options.scheme ?? 'sha512_crypt'
  const rounds = clampRounds(scheme, options.rounds)
  const problem = schemes[scheme].problem(schemes[scheme].decoy(rounds))
  if (problem !== undefined) {
    throw new InvalidInput(`auth.rounds: ${problem}, so such a password could never be verified`)
  }
  const task: PasswordTask = {kind: 'hash', scheme, password, rounds}
  // a command that makes one hash need not pay for a thread
  return String(await (isPoolStarted() ? runInPool(task) : work(task)))
}

/**
 * Whether `hash` is one of `password`, of whichever scheme. Never throws for what is stored: a damaged, unknown or
 * absurdly expensive hash is of no password, and `hashProblem` says why.
 * @throws {Unavailable} when too many verifications wait already
 */
export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  if (hashProblem(hash) !== undefined || lengthOf(password) > maxLength) return false
  return (await runInPool({kind: 'verify', password, hash})) === true
}

/** Why nobody can log in with this stored hash; for a log, so it never holds any of the hash. */
export function hashProblem(hash: string): string | undefined {
  const scheme = findScheme(hash)
  if (!scheme) return 'it is not a password hash of a known scheme (a plain password?)'
  return hash.length > 1024 ? 'the hash is too long' : scheme.problem(hash)
}

/** A hash that no password has: verifying it takes as long as a real one, for users that don't exist. */
export function decoyHash(scheme: PasswordScheme, rounds?: number): string {
  const most = scheme === 'bcrypt' || scheme === 'argon2' ? 20 : maxStoredRounds
  return schemes[scheme].decoy(Math.min(clampRounds(scheme, rounds), most))
}

/** What `hash` costs to verify, in the unit of its scheme's rounds; undefined where it has a `hashProblem`. */
export function costOf(hash: string): {scheme: PasswordScheme; rounds: number} | undefined {
  if (hashProblem(hash) !== undefined) return undefined
  const found = passwordSchemes.find(scheme => schemes[scheme] === findScheme(hash))
  return found && {scheme: found, rounds: schemes[found].costOf(hash)}
}
