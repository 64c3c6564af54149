import type {Permission, Rules} from './access.js'

/** Rules of one project that is being put together from rows or settings. */
export class RulesBuilder implements Rules {
  readonly users = new Map<string, Set<Permission>>()
  readonly groups = new Map<string, Set<Permission>>()

  add(kind: 'user' | 'group', name: string, permissions: Iterable<Permission>): void {
    const rules = kind === 'user' ? this.users : this.groups
    let known = rules.get(name)
    if (!known) rules.set(name, (known = new Set()))
    for (const permission of permissions) known.add(permission)
  }
}

/** `read` before `write`, as pypicloud lists them. */
export const permissionsOf = (read: unknown, write: unknown): Permission[] => [
  ...(read ? (['read'] as const) : []),
  ...(write ? (['write'] as const) : []),
]
