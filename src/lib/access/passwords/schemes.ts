import {argon2} from './argon2.js'
import {bcrypt} from './bcrypt.js'
import {pbkdf2Sha256, pbkdf2Sha512} from './pbkdf2.js'
import type {PasswordScheme, Scheme} from './scheme.js'
import {sha256Crypt, sha512Crypt} from './sha-crypt.js'

/** All of them; the libraries of bcrypt and argon2 load with their first hash. */
export const schemes: Readonly<Record<PasswordScheme, Scheme>> = {
  sha512_crypt: sha512Crypt,
  sha256_crypt: sha256Crypt,
  pbkdf2_sha512: pbkdf2Sha512,
  pbkdf2_sha256: pbkdf2Sha256,
  bcrypt,
  argon2,
}

export const findScheme = (hash: string): Scheme | undefined =>
  Object.values(schemes).find(scheme => scheme.prefixes.some(prefix => hash.startsWith(prefix)))
