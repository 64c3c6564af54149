import {byCodePoint} from '../../by-code-point.js'
import {InvalidInput, StorageFailed} from '../../errors.js'
import type {AclEntry, LoadOptions, LoadReport} from '../access.js'
import {loadNotice, LoadNotices} from '../load-notices.js'
import {findSpecialGroup, quote} from '../names.js'
import {maxSecretBytes} from './size.js'
import type {Blob} from './blob.js'
import {addPermissions, deleteTraces, setAdmin} from './changes.js'
import {compareBlobs, contentsOf} from './compare.js'
import {prune} from './prune.js'

type Entry<K extends AclEntry['kind']> = Extract<AclEntry, {kind: K}>

/** A dump, sorted by kind. */
export interface Collected {
  registration: boolean | undefined
  readonly users: Entry<'user'>[]
  readonly pending: Entry<'pending'>[]
  readonly groups: Entry<'group'>[]
  readonly members: Entry<'member'>[]
  readonly grants: Entry<'grant'>[]
  readonly tokens: Entry<'token'>[]
}

/** Every entry takes some ten bytes of a secret: a dump with more of them, even of unknown users, is a mistake. */
const maxEntries = maxSecretBytes
const maxNameCharacters = 16 * maxSecretBytes

/**
 * Reads a dump that may come slowly, and no more of it than could ever be taken.
 * @throws {InvalidInput} when a user, a group or a rule is there twice
 * @throws {StorageFailed} when it is far too large for a secret
 */
export async function collect(entries: AsyncIterable<AclEntry>): Promise<Collected> {
  const dump: Collected = {
    ...{registration: undefined, users: [], pending: [], groups: [], members: [], grants: [], tokens: []},
  }
  const seen = new Set<string>()
  let count = 0
  let characters = 0
  for await (const entry of entries) {
    const key = keyOf(entry)
    characters += key?.length ?? 0
    if (++count > maxEntries || characters > maxNameCharacters) {
      throw new StorageFailed(
        `the dump is too large for a secret of AWS, which holds ${maxSecretBytes} bytes: use pypi.auth = sql`,
      )
    }
    if (key !== undefined) {
      if (seen.has(key) && entry.kind !== 'member')
        throw new InvalidInput(`the dump has ${nameOf(entry)} twice`)
      if (seen.has(key)) continue
      seen.add(key)
    }
    sortIn(dump, entry)
  }
  return dump
}

function sortIn(dump: Collected, entry: AclEntry): void {
  if (entry.kind === 'registration') dump.registration = entry.allowed
  else if (entry.kind === 'user') dump.users.push(entry)
  else if (entry.kind === 'pending') dump.pending.push(entry)
  else if (entry.kind === 'group') dump.groups.push(entry)
  else if (entry.kind === 'member') dump.members.push(entry)
  else if (entry.kind === 'token') dump.tokens.push(entry)
  else dump.grants.push(entry)
}

/** The same text for what must not be there twice. */
function keyOf(entry: AclEntry): string | undefined {
  switch (entry.kind) {
    case 'registration':
      return undefined
    case 'group':
      return JSON.stringify(['group', entry.name])
    case 'member':
      return JSON.stringify(['member', entry.group, entry.username])
    case 'grant':
      return JSON.stringify([entry.project, entry.principal])
    case 'token':
      return JSON.stringify(['token', entry.id])
    default:
      return JSON.stringify([entry.kind, entry.username])
  }
}

function nameOf(entry: AclEntry): string {
  if (entry.kind === 'group') return `the group ${quote(entry.name)}`
  if (entry.kind === 'token') return `the API token ${quote(entry.id)}`
  if (entry.kind !== 'grant') return `the user ${quote('username' in entry ? entry.username : '')}`
  const who =
    'user' in entry.principal
      ? `user ${quote(entry.principal.user)}`
      : `group ${quote(entry.principal.group)}`
  return `the rule of project ${quote(entry.project)} for ${who}`
}

/** Adds what is new, and removes the rest if asked to, as `AccessWriter.load` says. */
export function merge(blob: Blob, dump: Collected, options: LoadOptions): LoadReport {
  const before = contentsOf(blob)
  const hadAdmin = hasAdmin(blob)
  if (options.prune) prune(blob, dump)
  const notices = new LoadNotices()
  const users = mergeUsers(blob, dump, notices)
  let groupsAdded = 0
  for (const {name} of dump.groups) {
    notices.oddGroup(name)
    if (findSpecialGroup(name) || blob.groups.has(name)) continue
    deleteTraces(blob, {group: name})
    blob.groups.set(name, [])
    groupsAdded += 1
  }
  const membersAdded = mergeMembers(blob, dump, notices)
  const grantsAdded = mergeGrants(blob, dump, notices)
  const tokensAdded = mergeTokens(blob, dump, notices)
  const registrationChanged = dump.registration !== undefined && dump.registration !== blob.allowsRegistration
  if (registrationChanged) blob.allowsRegistration = dump.registration === true
  // a store that was restored is no new installation, even if the dump has no administrator (RULES 30)
  if (users.usersAdded > 0) blob.markAdmin()
  return {
    ...users,
    differences: compareBlobs(before, contentsOf(blob), options.maxNames ?? 0),
    groupsAdded,
    membersAdded,
    grantsAdded,
    tokensAdded,
    registrationChanged,
    notices: [...notices.list(), ...(hadAdmin && !hasAdmin(blob) ? [loadNotice.noAdmin] : [])],
  }
}

/** pypicloud leaves deleted users in the list. */
const hasAdmin = (blob: Blob): boolean => blob.admins.some(username => blob.has(username))

function mergeUsers(blob: Blob, dump: Collected, notices: LoadNotices) {
  const adminsChanged: string[] = []
  const report = {usersAdded: 0, usersKept: 0, pendingAdded: 0, adminsChanged}
  const add = (accounts: Map<string, string>, username: string, hash: string | null): boolean => {
    if (hash === null) {
      notices.noPassword(username)
      return false
    }
    notices.oddUser(username)
    deleteTraces(blob, {user: username}) // rules that are older than the user (RULES 35)
    accounts.set(username, hash)
    return true
  }
  for (const {username, admin, passwordHash} of dump.users) {
    if (blob.has(username)) {
      notices.oddUser(username)
      report.usersKept += 1
      if (blob.admins.includes(username) !== admin) adminsChanged.push(username)
    } else if (add(blob.users, username, passwordHash)) report.usersAdded += 1
    setAdmin(blob, username, admin)
  }
  for (const {username, passwordHash} of dump.pending) {
    if (!blob.has(username) && add(blob.pending, username, passwordHash)) report.pendingAdded += 1
  }
  adminsChanged.sort(byCodePoint)
  return report
}

function mergeMembers(blob: Blob, dump: Collected, notices: LoadNotices): number {
  let added = 0
  for (const {group, username} of dump.members) {
    const members = findSpecialGroup(group) ? undefined : blob.groups.get(group)
    if (!members) continue
    if (!blob.has(username)) notices.noMember(group, username)
    else if (!members.includes(username)) {
      members.push(username)
      added += 1
    }
  }
  return added
}

function mergeGrants(blob: Blob, dump: Collected, notices: LoadNotices): number {
  let added = 0
  for (const {project, principal, permissions} of dump.grants) {
    const isThere =
      'user' in principal
        ? blob.has(principal.user)
        : blob.groups.has(principal.group) || findSpecialGroup(principal.group)
    if (isThere) added += addPermissions(blob, project, principal, permissions)
    else if ('user' in principal) notices.nobodysRule(project, 'user', principal.user)
    else notices.nobodysRule(project, 'group', principal.group)
  }
  return added
}

function mergeTokens(blob: Blob, dump: Collected, notices: LoadNotices): number {
  let added = 0
  for (const token of dump.tokens) {
    if (!blob.has(token.owner)) notices.nobodysToken(token.id, token.owner)
    else if (!blob.tokens?.has(token.id)) {
      blob.setToken(token)
      added += 1
    }
  }
  return added
}
