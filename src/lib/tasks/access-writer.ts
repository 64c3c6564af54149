import type {Access, AccessWriter, Account} from '../access/access.js'
import {findSpecialGroup, quote} from '../access/names.js'
import type {Config} from '../config/config.js'
import {NotFound, PpcError} from '../errors.js'

/** The access backend's users can't be changed by us: they are lines of a config, or somebody else's directory. */
export class NotWritable extends PpcError {
  readonly code = 'PPC_NOT_WRITABLE'
  override readonly statusCode = 400
}

/**
 * @param instead what to do with the config file, where that holds the rules: `put "group.devs = bob" into it`
 * @throws {NotWritable} saying where the change is made instead
 */
export function getWriter(access: Access, config: Config, instead: string): AccessWriter {
  if (access.writer) return access.writer
  const kind = config.core.auth
  const elsewhere = access.formatEntries
    ? 'Change users in the directory, groups and rights in that file.'
    : 'Change them where they are kept.'
  throw new NotWritable(
    `${config.file}: the users, groups and rights of pypi.auth = ${kind} can't be changed by a command`,
    {hint: kind === 'config' ? `Edit that file: ${instead}.` : elsewhere},
  )
}

/** @throws {NotFound} */
export async function getAccount(access: Access, username: string): Promise<Account> {
  const account = await access.findAccount(username)
  if (!account) throw new NotFound(`${access.name} has no user ${quote(username)}`)
  return account
}

/** @throws {NotFound} */
export async function checkGroup(access: Access, group: string): Promise<void> {
  if ((await access.listGroups()).includes(group)) return
  const special = findSpecialGroup(group) ? ', which has no members of its own' : ''
  throw new NotFound(`${access.name} has no group ${quote(group)}${special}`)
}
