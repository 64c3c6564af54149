import type {Access, FoundAccount, Grant, Permission} from '../access/access.js'
import {findSpecialGroup, quote} from '../access/names.js'
import {anonymous, isInAny, type Identity} from '../access/identity.js'
import {AccessPolicy} from '../access/policy.js'
import type {Config} from '../config/config.js'
import {deleteGroups, overwriteGroups} from '../config/derived.js'
import {hasWildcard, nameMatcher, normalizeName} from '../packaging/names.js'
import {describePrincipal} from './edit-permissions.js'

export type Right = Permission | 'overwrite' | 'delete'

export interface Verdict {
  readonly right: Right
  readonly allowed: boolean
  /** What gives the right, or what would have to: at least one. */
  readonly because: readonly string[]
}

export interface AccessExplanation {
  /** As the backend spells it; absent for whoever is not logged in. */
  readonly user?: string
  readonly admin: boolean
  readonly groups: readonly string[]
  /** Normalised. */
  readonly project: string
  /** All rules that count for the project, as they are stored. */
  readonly rules: readonly Grant[]
  /** What the verdicts rest on, a sentence each. */
  readonly facts: readonly string[]
  readonly verdicts: readonly Verdict[]
}

/**
 * Why `username` may do what with a project. The verdicts are the policy's own; only their reasons are put together here.
 * @param username `everyone` stands for whoever is not logged in
 */
export async function explainAccess(
  access: Access,
  config: Config,
  username: string,
  project: string,
): Promise<AccessExplanation> {
  const policy = new AccessPolicy(access, config)
  const name = normalizeName(project)
  const account = username === 'everyone' ? undefined : await access.findAccount(username)
  const identity = (account && (await policy.identify(account.username))) ?? anonymous
  const rules = await listRules(access, name)
  const may = {
    read: await policy.can(identity, name, 'read'),
    write: await policy.can(identity, name, 'write'),
  }
  const {core} = config
  const overwriteKey = `pypi.allow_overwrite${core.allowOverwriteGroups ? '_groups' : ''}`
  const deleteKey = `pypi.allow_delete${core.allowDeleteGroups ? '_groups' : ''}`
  const overwriteReason = reasonOfGroups(overwriteKey, overwriteGroups(core), group =>
    policy.inGroups(identity, [group]),
  )
  const deleteReason = reasonOfGroups(deleteKey, deleteGroups(core), group =>
    policy.inGroups(identity, [group]),
  )
  const needsWrite = ['whoever does it must be allowed to write']
  return {
    ...(identity.username !== undefined && {user: identity.username}),
    admin: identity.admin,
    groups: identity.groups,
    project: name,
    rules,
    facts: [...factsAboutUser(access, username, account, identity), factAboutProject(name, rules, config)],
    verdicts: [
      {right: 'read', allowed: may.read, because: reasonsOf(identity, 'read', rules, config)},
      {right: 'write', allowed: may.write, because: reasonsOf(identity, 'write', rules, config)},
      {
        right: 'overwrite',
        allowed: may.write && policy.mayOverwrite(identity),
        because: may.write ? [overwriteReason] : needsWrite,
      },
      {
        right: 'delete',
        allowed: may.write && policy.mayDelete(identity),
        because: may.write ? [deleteReason] : needsWrite,
      },
    ],
  }
}

async function listRules(access: Access, project: string): Promise<Grant[]> {
  const {users, groups} = await access.getRules(project)
  const patterns = (await access.listRulePatterns?.()) ?? []
  const matching = new Set([project, ...patterns.filter(pattern => nameMatcher([pattern])(project))])
  const principals = [
    ...[...users.keys()].map(user => ({user})),
    ...[...groups.keys()].map(group => ({group})),
  ]
  const grants: Grant[] = []
  for (const principal of principals) {
    const all = await access.listGrants(principal)
    grants.push(...all.filter(grant => matching.has(normalizeName(grant.project))))
  }
  return grants
}

function factsAboutUser(
  access: Access,
  asked: string,
  account: FoundAccount | undefined,
  {username, admin, groups}: Identity,
): string[] {
  if (asked === 'everyone') return ['everyone stands for whoever is not logged in']
  if (!account) {
    return [`${access.name} has no user ${quote(asked)}: whoever sends that name counts as not logged in`]
  }
  if (username === undefined) {
    const why = account.pending ? 'it waits for approval' : (account.problem ?? 'it can not be used')
    return [`nobody can log in as ${quote(asked)}, and counts as not logged in: ${why}`]
  }
  const spelt = username === asked ? [] : [`${quote(asked)} is the user ${quote(username)}`]
  const standing = admin ? 'an administrator, who may read and write everything' : 'no administrator'
  const membership =
    groups.length > 0 ? `in the group${groups.length > 1 ? 's' : ''} ${groups.join(', ')}` : 'in no group'
  return [...spelt, `${username} is ${standing}, and ${membership}`]
}

function factAboutProject(project: string, rules: readonly Grant[], {core}: Config): string {
  if (rules.length > 0) {
    return `${project} has rules, so that pypi.default_read and pypi.default_write do not count for it`
  }
  const names = (groups: readonly string[]) => groups.join(', ') || 'nobody'
  return (
    `${project} has no rules, so that pypi.default_read (${names(core.defaultRead)}) and ` +
    `pypi.default_write (${names(core.defaultWrite)}) decide`
  )
}

function reasonsOf(
  identity: Identity,
  permission: Permission,
  rules: readonly Grant[],
  {core}: Config,
): string[] {
  if (identity.admin) return ['administrators may do it everywhere']
  if (rules.length === 0) {
    const groups = permission === 'read' ? core.defaultRead : core.defaultWrite
    return [reasonOfGroups(`pypi.default_${permission}`, groups, group => isInAny(identity, [group]))]
  }
  const giving = rules.filter(
    ({principal, permissions}) =>
      permissions.includes(permission) &&
      ('user' in principal ? principal.user === identity.username : isInAny(identity, [principal.group])),
  )
  if (giving.length > 0) return giving.map(grant => `the rule of ${describeGrant(grant)}`)
  const shut = rules.some(({permissions}) => permissions.includes(permission))
  return [shut ? 'its rules give it to others only' : 'none of its rules gives it to anybody']
}

/** `group devs`, and by which patterns of groups and projects. */
export const describeGrant = ({project, principal, groupPattern}: Grant): string =>
  [
    describePrincipal(principal),
    ...(groupPattern === undefined ? [] : [`by ${groupPattern}`]),
    ...(hasWildcard(project) ? [`for ${project}`] : []),
  ].join(' ')

/** Of a key of the config that names groups. */
function reasonOfGroups(key: string, groups: readonly string[], isIn: (group: string) => boolean): string {
  const found = groups.filter(isIn)
  if (found.length > 0) return `${key} gives it to ${describeGroups(found)}`
  return groups.length === 0
    ? `${key} gives it to nobody`
    : `${key} gives it to ${describeGroups(groups)} only`
}

const meanings = {everyone: 'everyone', authenticated: 'all who are logged in'} as const

function describeGroups(groups: readonly string[]): string {
  return groups
    .map(group => {
      const special = findSpecialGroup(group)
      if (special) return meanings[special]
      return group === 'admin' ? 'administrators' : `group ${group}`
    })
    .join(', ')
}
