import {AlreadyExists, type Access} from '../access/access.js'
import {checkUsername} from '../access/names.js'
import {hashPassword} from '../access/passwords/index.js'
import type {Config} from '../config/config.js'
import {passwordFields} from '../config/schema/access.js'

/** Refuses early, before anybody types a password. @throws {InvalidInput} @throws {AlreadyExists} */
export async function checkNewUser(access: Access, username: string): Promise<void> {
  checkUsername(username)
  const account = await access.findAccount(username)
  if (account?.pending)
    throw new AlreadyExists(`${access.name}: "${username}" is registered and waits for approval`)
  if (account) throw new AlreadyExists(`${access.name}: there is a user "${username}" already`)
}

/** Short names that pypicloud's `auth.scheme` has for two of them. */
const shortSchemes = {sha: 'sha512_crypt', pbkdf2: 'pbkdf2_sha512'} as const

/** Hashes with the config's `auth.scheme` and `auth.rounds`. */
export async function hashFor(config: Config, password: string): Promise<string> {
  const {scheme: name, rounds} = config.read(passwordFields)
  const scheme = name === 'sha' || name === 'pbkdf2' ? shortSchemes[name] : name
  return hashPassword(password, rounds === undefined ? {scheme} : {scheme, rounds})
}
