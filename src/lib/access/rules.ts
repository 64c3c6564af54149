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

/** By code point, as SQLite sorts. */
export const byCodePoint = (a: string, b: string): number => {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    if (a.charCodeAt(index) !== b.charCodeAt(index)) {
      return (a.codePointAt(index) ?? 0) - (b.codePointAt(index) ?? 0)
    }
  }
  return a.length - b.length
}
