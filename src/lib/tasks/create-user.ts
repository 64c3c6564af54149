import {AlreadyExists, type Access, type AccessWriter} from '../access/access.js'
import {checkUsername} from '../access/names.js'
import {hashPassword} from '../access/passwords/index.js'
import type {Config} from '../config/config.js'
import {passwordFields} from '../config/schema/access.js'
import {PpcError} from '../errors.js'

/** The access backend's users can't be changed by us: they are lines of a config, or somebody else's directory. */
export class NotWritable extends PpcError {
  readonly code = 'PPC_NOT_WRITABLE'
  override readonly statusCode = 400
}

/** @throws {NotWritable} saying where users of this backend are made instead. */
export function getWriter(access: Access, config: Config): AccessWriter {
  if (access.writer) return access.writer
  const kind = config.core.auth
  throw new NotWritable(`${config.file}: users of pypi.auth = ${kind} can't be created by a command`, {
    hint:
      kind === 'config'
        ? 'Put "user.NAME = HASH" into that file, with a hash from ppc-gen-password; administrators are listed in auth.admins.'
        : 'Create them where they are kept.',
  })
}

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
