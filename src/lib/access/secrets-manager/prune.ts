import {findSpecialGroup} from '../names.js'
import type {Blob} from './blob.js'
import {approve, deleteGroup, deleteUser, dropIfEmpty, setAdmin} from './changes.js'
import type {Collected} from './load.js'
import {listTokens} from './tokens.js'

const kinds = ['user', 'group'] as const

/** Removes what a dump lacks, and takes over passwords and who is approved; what is missing then is for `merge`. */
export function prune(blob: Blob, dump: Collected): void {
  const approved = new Map(dump.users.map(({username, passwordHash}) => [username, passwordHash]))
  const pending = new Map(dump.pending.map(({username, passwordHash}) => [username, passwordHash]))
  for (const username of [...blob.users.keys(), ...blob.pending.keys()]) {
    if (!approved.has(username) && !pending.has(username)) deleteUser(blob, username)
    else if (approved.has(username)) approve(blob, username)
    else disapprove(blob, username)
  }
  for (const [accounts, hashes] of [
    [blob.users, approved],
    [blob.pending, pending],
  ] as const) {
    for (const username of accounts.keys()) {
      const hash = hashes.get(username)
      if (hash) accounts.set(username, hash)
    }
  }
  const groups = new Set(dump.groups.map(({name}) => name))
  for (const group of [...blob.groups.keys()]) {
    if (!groups.has(group) && !findSpecialGroup(group)) deleteGroup(blob, group)
  }
  pruneMembers(blob, dump)
  pruneRules(blob, dump)
  pruneTokens(blob, dump)
}

/** When a token was used last, no dump says: of those that stay it is kept. */
function pruneTokens(blob: Blob, dump: Collected): void {
  const wanted = new Map(dump.tokens.map(token => [token.id, token]))
  for (const {id, owner, lastUsed} of listTokens(blob)) {
    const token = wanted.get(id)
    if (token?.owner !== owner) blob.tokens?.delete(id)
    else blob.setToken(token, lastUsed)
  }
}

function disapprove(blob: Blob, username: string): void {
  const hash = blob.users.get(username)
  if (hash === undefined) return
  blob.users.delete(username)
  blob.pending.set(username, hash)
  setAdmin(blob, username, false)
}

function pruneMembers(blob: Blob, dump: Collected): void {
  const members = new Set(dump.members.map(({group, username}) => JSON.stringify([group, username])))
  for (const [group, names] of blob.groups) {
    const kept = names.filter(username => members.has(JSON.stringify([group, username])))
    names.splice(0, names.length, ...kept)
  }
}

function pruneRules(blob: Blob, dump: Collected): void {
  const wanted = new Map(
    dump.grants.map(({project, principal, permissions}) => [
      JSON.stringify([project, principal]),
      permissions as readonly string[],
    ]),
  )
  for (const project of [...blob.projects.keys()]) {
    for (const kind of kinds) {
      const rules = blob.rulesOf(project, kind)
      for (const [name, words] of rules ?? []) {
        const permissions = wanted.get(JSON.stringify([project, {[kind]: name}]))
        if (permissions) words.splice(0, words.length, ...words.filter(word => permissions.includes(word)))
        else rules?.delete(name)
      }
    }
    dropIfEmpty(blob, project)
  }
}
