import {randomBytes} from 'node:crypto'

/** The values that `auth.scheme` may have; all of them are accepted for verification whatever it says. */
export const passwordSchemes = [
  'sha512_crypt',
  'sha256_crypt',
  'pbkdf2_sha512',
  'pbkdf2_sha256',
  'bcrypt',
  'argon2',
] as const
export type PasswordScheme = (typeof passwordSchemes)[number]

/** One way to hash. Nothing here limits time or threads: `index.ts` does. */
export interface Scheme {
  /** As pypicloud's `auth.rounds`; for bcrypt the logarithm, for argon2 the time cost. */
  readonly rounds: {readonly default: number; readonly min: number; readonly max: number}
  /** What a stored hash of this scheme begins with. */
  readonly prefixes: readonly string[]
  /** Why nobody can log in with this hash: truncated, or more work than can be meant. Computes nothing. */
  problem(hash: string): string | undefined
  hash(password: string, rounds: number): Promise<string>
  /** `hash` has no `problem`. */
  verify(password: string, hash: string): Promise<boolean>
  /** What verifying this hash costs, in the unit of `rounds`. `hash` has no `problem`. */
  costOf(hash: string): number
  /** A hash that no password has, and that takes as long to verify as a real one. */
  decoy(rounds: number): string
}

/** Stored hashes that ask for more iterations than this are refused: they would block the pool for minutes. */
export const maxStoredRounds = 10_000_000

const alphabet = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** Random text of crypt's alphabet. */
export const randomText = (length: number): string =>
  Array.from(randomBytes(length), byte => alphabet.charAt(byte & 63)).join('')
/** The 64 characters of crypt(3), in its own order. */
export const cryptAlphabet = alphabet
