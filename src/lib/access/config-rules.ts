import type {Config} from '../config/config.js'
import {hasWildcard, wildcardMatcher} from '../packaging/names.js'
import type {Grant, Permission} from './access.js'
import {permissionsOf} from './rules.js'

/**
 * The rules `package.PROJECT.user.NAME` and `package.PROJECT.group.NAME` of a configuration file, in its order, each pair of
 * project and user or group once. A group `team-*` stands for all of `groups` that match, never for everyone or
 * authenticated; where none does, and where a group has that very name, it stays what it is.
 */
export function readConfigRules(config: Config, groups: Iterable<string>): Grant[] {
  const known = new Set(groups)
  const matching = (name: string): string[] => {
    if (!hasWildcard(name) || known.has(name)) return []
    return [...known].filter(wildcardMatcher(name))
  }
  const rules = new Map<string, Grant>()
  const add = (grant: Grant) => {
    const key = JSON.stringify([grant.project, grant.principal])
    const permissions = new Set([...(rules.get(key)?.permissions ?? []), ...grant.permissions])
    const sorted = permissionsOf(permissions.has('read'), permissions.has('write'))
    rules.set(key, {...grant, ...rules.get(key), permissions: sorted})
  }
  for (const {key, value} of config.family('package.')) {
    // as pypicloud, which takes no other number of parts: a name with a dot has no rules here
    const [, project, kind, name, ...more] = key.split('.')
    if (!project || !name || more.length > 0 || (kind !== 'user' && kind !== 'group')) continue
    const permissions = parsePermissions(value)
    const found = kind === 'group' ? matching(name) : []
    for (const group of found) add({project, principal: {group}, permissions, groupPattern: name})
    if (found.length > 0) continue
    add({project, principal: kind === 'user' ? {user: name} : {group: name}, permissions})
  }
  return [...rules.values()]
}

/** Up to two characters are letters, more are words (COMPAT §1.8). What is neither right gives none. */
function parsePermissions(value: string): Permission[] {
  if (value.length <= 2) return permissionsOf(value.includes('r'), value.includes('w'))
  const words = value.split(/\s+/)
  return permissionsOf(words.includes('read'), words.includes('write'))
}
