import type {Access, Grant, Permission, Principal} from '../access/access.js'
import {findSpecialGroup, quote} from '../access/names.js'
import {permissionsOf} from '../access/rules.js'
import type {Config} from '../config/config.js'
import {InvalidInput} from '../errors.js'
import {isProjectName, nameMatcher, normalizeName} from '../packaging/names.js'
import {checkGroup, getAccount, getWriter} from './access-writer.js'

export interface PermissionChange {
  readonly project: string
  readonly principal: Principal
  readonly permissions: readonly Permission[]
}

export const describePrincipal = (principal: Principal): string =>
  'user' in principal ? `user ${principal.user}` : `group ${principal.group}`

/**
 * Grants what is not there yet.
 * @returns what the principal has then, and whether the project had no rules: then the default groups lose it
 * @throws {NotFound} when there is no such user or group
 * @throws {InvalidInput} for what is no name of a project
 */
export async function grantPermissions(
  access: Access,
  config: Config,
  {project, principal, permissions}: PermissionChange,
): Promise<{permissions: Permission[]; first: boolean}> {
  if (!isProjectName(project)) throw new InvalidInput(`${quote(project)} is no name of a project`)
  const {users, groups} = await access.getRules(normalizeName(project))
  const after = new Set([...(await permissionsNow(access, project, principal)), ...permissions])
  const writer = getWriter(access, config, `put "${configLine(project, principal, after)}" into it`)
  if ('user' in principal) await getAccount(access, principal.user)
  else if (!findSpecialGroup(principal.group)) await checkGroup(access, principal.group)
  for (const permission of permissions) await writer.grant(project, principal, permission)
  return {permissions: listOf(after), first: users.size + groups.size === 0}
}

/**
 * Revokes what is there, of users and groups that are gone too.
 * @returns what the principal has left, and whether it had any of it
 */
export async function revokePermissions(
  access: Access,
  config: Config,
  {project, principal, permissions}: PermissionChange,
): Promise<{permissions: Permission[]; had: boolean}> {
  const before = await permissionsNow(access, project, principal)
  const after = new Set([...before].filter(permission => !permissions.includes(permission)))
  const line = configLine(project, principal, after)
  const instead = after.size > 0 ? `put "${line}" into it` : `remove "${line.split(' ')[0] ?? ''}"`
  const writer = getWriter(access, config, instead)
  for (const permission of permissions) await writer.revoke(project, principal, permission)
  return {permissions: listOf(after), had: after.size < before.size}
}

async function permissionsNow(
  access: Access,
  project: string,
  principal: Principal,
): Promise<ReadonlySet<Permission>> {
  const {users, groups} = await access.getRules(normalizeName(project))
  const found = 'user' in principal ? users.get(principal.user) : groups.get(principal.group)
  return found ?? new Set()
}

const listOf = (permissions: ReadonlySet<Permission>): Permission[] =>
  permissionsOf(permissions.has('read'), permissions.has('write'))

function configLine(project: string, principal: Principal, permissions: ReadonlySet<Permission>): string {
  const letters = listOf(permissions).map(permission => permission.charAt(0))
  return `package.${project}.${describePrincipal(principal).replace(' ', '.')} = ${letters.join('')}`.trimEnd()
}

/** All rules, or those of a project, by patterns too, or of somebody; rules of users and groups that are gone with them. */
export async function listPermissions(
  access: Access,
  {project, principal}: {project?: string | undefined; principal?: Principal | undefined},
): Promise<Grant[]> {
  const patterns = new Set(project === undefined ? [] : await access.listRulePatterns?.())
  const isOf = (grant: Grant) => {
    if (project === undefined) return true
    const [stored, wanted] = [normalizeName(grant.project), normalizeName(project)]
    return stored === wanted || (patterns.has(stored) && nameMatcher([stored])(wanted))
  }
  if (principal) return (await access.listGrants(principal)).filter(isOf)
  const grants: Grant[] = []
  for await (const entry of access.exportEntries()) {
    if (entry.kind !== 'grant') continue
    const {project: name, principal: who, permissions} = entry
    grants.push({project: name, principal: who, permissions})
  }
  return [...grants, ...(await access.listOrphans())].filter(isOf)
}
