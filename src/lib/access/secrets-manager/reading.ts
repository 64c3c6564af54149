import {normalizeName} from '../../packaging/names.js'
import type {Account, AclEntry, Grant, Permission, Principal} from '../access.js'
import {findSpecialGroup} from '../names.js'
import {permissionsOf, RulesBuilder} from '../rules.js'
import type {Blob} from './blob.js'

const kinds = ['user', 'group'] as const

/** What nobody may have is kept, and gives nothing. */
const parsePermissions = (words: readonly string[]): Permission[] =>
  permissionsOf(words.includes('read'), words.includes('write'))

export function findAccount(blob: Blob, username: string): Required<Account> | undefined {
  const approved = blob.users.get(username)
  const passwordHash = approved ?? blob.pending.get(username)
  if (passwordHash === undefined) return undefined
  return {
    username,
    passwordHash,
    admin: blob.admins.includes(username),
    pending: approved === undefined,
  }
}

/** Without what the configuration means by itself; in the order of the secret. */
export const listGroups = (blob: Blob): string[] =>
  [...blob.groups.keys()].filter(group => !findSpecialGroup(group))

/** Users that exist, once each. */
export const listMembers = (blob: Blob, group: string): string[] =>
  [...new Set(blob.groups.get(group))].filter(username => blob.has(username))

export const listGroupsOf = (blob: Blob, username: string): string[] =>
  blob.has(username) ? listGroups(blob).filter(group => blob.groups.get(group)?.includes(username)) : []

export function getRules(blob: Blob, project: string): RulesBuilder {
  const normalized = normalizeName(project)
  const rules = new RulesBuilder()
  for (const spelling of blob.projects.keys()) {
    if (normalizeName(spelling) !== normalized) continue
    for (const kind of kinds) {
      for (const [name, words] of blob.rulesOf(spelling, kind) ?? []) {
        rules.add(kind, name, parsePermissions(words))
      }
    }
  }
  return rules
}

/** All rules of users, then all of groups, each with all of a project together. */
export function* listGrants(blob: Blob): Generator<Grant> {
  for (const kind of kinds) {
    for (const project of blob.projects.keys()) {
      for (const [name, words] of blob.rulesOf(project, kind) ?? []) {
        const principal: Principal = kind === 'user' ? {user: name} : {group: name}
        yield {project, principal, permissions: parsePermissions(words)}
      }
    }
  }
}

export const isSame = (a: Principal, b: Principal): boolean =>
  'user' in a ? 'user' in b && a.user === b.user : 'group' in b && a.group === b.group

/** Of somebody who does not exist. */
export const isOrphan = (blob: Blob, {principal}: Grant): boolean =>
  'user' in principal
    ? !blob.has(principal.user)
    : !blob.groups.has(principal.group) && !findSpecialGroup(principal.group)

/** In the order of a dump. */
export function* exportEntries(blob: Blob): Generator<AclEntry> {
  yield {kind: 'registration', allowed: blob.allowsRegistration}
  for (const group of listGroups(blob)) {
    yield {kind: 'group', name: group}
    for (const username of listMembers(blob, group)) yield {kind: 'member', group, username}
  }
  for (const [username, passwordHash] of blob.users) {
    yield {kind: 'user', username, admin: blob.admins.includes(username), passwordHash}
  }
  for (const grant of listGrants(blob)) if (!isOrphan(blob, grant)) yield {kind: 'grant', ...grant}
  for (const [username, passwordHash] of blob.pending) {
    if (!blob.users.has(username)) yield {kind: 'pending', username, passwordHash}
  }
}
