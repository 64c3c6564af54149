import {normalizeName} from '../../packaging/names.js'
import {AlreadyExists, type Account, type Permission, type Principal} from '../access.js'
import {findSpecialGroup, quote} from '../names.js'
import type {Blob} from './blob.js'

// Changes of a blob, each as `AccessWriter` describes it. What throws may leave the blob half changed: it is thrown away.

export function addAccount(blob: Blob, {username, passwordHash, admin, pending}: Required<Account>): void {
  if (blob.has(username)) throw new AlreadyExists(`a user ${quote(username)} exists already`)
  deleteTraces(blob, {user: username})
  ;(pending ? blob.pending : blob.users).set(username, passwordHash)
  setAdmin(blob, username, admin)
}

export function approve(blob: Blob, username: string): void {
  const hash = blob.pending.get(username)
  if (hash === undefined) return
  blob.pending.delete(username)
  if (!blob.users.has(username)) blob.users.set(username, hash)
}

export function deleteUser(blob: Blob, username: string): void {
  blob.users.delete(username)
  blob.pending.delete(username)
  deleteTraces(blob, {user: username})
}

export function setPasswordHash(blob: Blob, username: string, hash: string, ifCurrent?: string): boolean {
  const accounts = blob.users.has(username) ? blob.users : blob.pending
  const stored = accounts.get(username)
  if (stored === undefined || (ifCurrent !== undefined && stored !== ifCurrent)) return false
  accounts.set(username, hash)
  return true
}

/** Of a user that exists. */
export function setAdmin(blob: Blob, username: string, admin: boolean): void {
  if (!blob.has(username) || blob.admins.includes(username) === admin) return
  if (admin) blob.admins.push(username)
  else drop(blob.admins, username)
}

export function createGroup(blob: Blob, group: string): void {
  if (blob.groups.has(group)) throw new AlreadyExists(`a group ${quote(group)} exists already`)
  deleteTraces(blob, {group})
  blob.groups.set(group, [])
}

export function deleteGroup(blob: Blob, group: string): void {
  if (findSpecialGroup(group) || !blob.groups.has(group)) return // their rules belong to no group
  blob.groups.delete(group)
  deleteTraces(blob, {group})
}

export function addMember(blob: Blob, group: string, username: string): void {
  const members = blob.groups.get(group)
  if (members && blob.has(username) && !members.includes(username)) members.push(username)
}

export function removeMember(blob: Blob, group: string, username: string): void {
  drop(blob.groups.get(group), username)
}

/** Under the normalised name, where pypicloud looks; other spellings that are there stay. */
export function grant(blob: Blob, project: string, principal: Principal, permission: Permission): void {
  addPermissions(blob, normalizeName(project), principal, [permission])
}

/** Under that spelling. @returns how many are new; a new rule without any counts as one. */
export function addPermissions(
  blob: Blob,
  spelling: string,
  principal: Principal,
  permissions: readonly Permission[],
): number {
  const {kind, name} = ofPrincipal(principal)
  const rules = blob.makeRulesOf(spelling, kind)
  const words = rules.get(name)
  const missing = permissions.filter(permission => !words?.includes(permission))
  if (words) words.push(...missing)
  else rules.set(name, [...missing])
  return !words && missing.length === 0 ? 1 : missing.length
}

/** From every spelling: what is revoked must not come back by another. A rule that gives nothing more goes. */
export function revoke(blob: Blob, project: string, principal: Principal, permission: Permission): void {
  const normalized = normalizeName(project)
  const {kind, name} = ofPrincipal(principal)
  for (const spelling of [...blob.projects.keys()]) {
    if (normalizeName(spelling) !== normalized) continue
    const rules = blob.rulesOf(spelling, kind)
    const words = rules?.get(name)
    if (!words) continue
    drop(words, permission)
    if (words.length === 0) rules?.delete(name)
    dropIfEmpty(blob, spelling)
  }
}

/** Memberships, rules and tokens. pypicloud leaves rules of groups behind, and deleted users among the administrators. */
export function deleteTraces(blob: Blob, principal: Principal): void {
  const {kind, name} = ofPrincipal(principal)
  for (const spelling of [...blob.projects.keys()]) {
    if (blob.rulesOf(spelling, kind)?.delete(name)) dropIfEmpty(blob, spelling)
  }
  if (kind === 'group') return
  for (const members of blob.groups.values()) drop(members, name)
  drop(blob.admins, name)
  for (const [id, token] of blob.tokens ?? []) if (token.get('owner') === name) blob.tokens?.delete(id)
}

/** A project without rules, and without anything that we don't know. */
export function dropIfEmpty(blob: Blob, spelling: string): void {
  const parts = [...(blob.projects.get(spelling) ?? [])]
  const isEmpty = parts.every(
    ([key, rules]) => (key === 'users' || key === 'groups') && (rules as Map<string, unknown>).size === 0,
  )
  if (isEmpty) blob.projects.delete(spelling)
}

/** Every one that is there. */
function drop(names: string[] | undefined, name: string): void {
  if (!names?.includes(name)) return
  names.splice(0, names.length, ...names.filter(other => other !== name))
}

const ofPrincipal = (principal: Principal): {kind: 'user' | 'group'; name: string} =>
  'user' in principal ? {kind: 'user', name: principal.user} : {kind: 'group', name: principal.group}
