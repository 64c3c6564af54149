import {Args, Flags} from '@oclif/core'
import type {Permission, Principal} from '../access/access.js'
import {permissionsOf} from '../access/rules.js'
import {UsageError} from '../errors.js'

const spellings = ['read', 'write', 'rw', 'r', 'w']

export const permissionArgument = Args.string({
  required: true,
  ignoreStdin: true,
  options: spellings,
  description: 'read, write or rw for both',
})

export const parsePermissions = (spelling: string): Permission[] =>
  permissionsOf(spelling.startsWith('r'), spelling.includes('w'))

/** For whom a rule is. @param required whether one must be given */
export const principalFlags = (required: boolean) => ({
  user: Flags.string({
    char: 'u',
    helpValue: 'NAME',
    summary: required ? 'For this user.' : 'Only of this user.',
    exclusive: ['group'],
  }),
  group: Flags.string({
    char: 'g',
    helpValue: 'NAME',
    summary: required ? 'For this group; everyone and authenticated are groups too.' : 'Only of this group.',
  }),
})

interface PrincipalFlags {
  readonly user?: string | undefined
  readonly group?: string | undefined
}

export function findPrincipal({user, group}: PrincipalFlags): Principal | undefined {
  if (user !== undefined) return {user}
  return group === undefined ? undefined : {group}
}

/** @throws {UsageError} */
export function principalOf(flags: PrincipalFlags): Principal {
  const principal = findPrincipal(flags)
  if (!principal) throw new UsageError('whose rights? Give --user or --group')
  return principal
}
