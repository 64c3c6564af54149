import {clampRounds, costOf, hashPassword, type PasswordScheme} from './passwords/index.js'

/** Schemes whose rounds can be compared. */
const families: Readonly<Record<PasswordScheme, string>> = {
  sha512_crypt: 'sha-crypt',
  sha256_crypt: 'sha-crypt',
  pbkdf2_sha512: 'pbkdf2',
  pbkdf2_sha256: 'pbkdf2',
  bcrypt: 'bcrypt',
  argon2: 'argon2',
}
/** bcrypt ignores what is longer, in bytes: nobody knows whether the rest was meant. */
const bcryptLength = 72

/**
 * A hash of `password` as the config wants it, where `stored` is of another scheme or of fewer rounds; undefined where
 * it may stay. Never of fewer rounds than `stored`, as far as they can be compared.
 * @param password for which `stored` is right
 */
export async function upgradedHash(
  password: string,
  stored: string,
  wanted: {readonly scheme: PasswordScheme; readonly rounds: number | undefined},
): Promise<string | undefined> {
  const current = costOf(stored)
  if (!current) return undefined
  const {scheme} = wanted
  const isBcrypt = current.scheme === 'bcrypt' || scheme === 'bcrypt'
  if (isBcrypt && Buffer.byteLength(password) > bcryptLength) return undefined
  const rounds = clampRounds(scheme, wanted.rounds)
  if (current.scheme === scheme && current.rounds >= rounds) return undefined
  const isComparable = families[current.scheme] === families[scheme]
  return hashPassword(password, {scheme, rounds: isComparable ? Math.max(rounds, current.rounds) : rounds})
}
