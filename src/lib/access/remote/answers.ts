import type {Permission} from '../access.js'
import {permissionsOf} from '../rules.js'

/** What the server may answer. Nothing is guessed: `"false"` is no `false`. */
export interface Shape<T> {
  /** For messages. */
  readonly expected: string
  /** Undefined for what means nothing. */
  readonly parse: (answer: unknown) => T | undefined
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isTexts = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every(item => typeof item === 'string')

/** As stored elsewhere, what is neither to read nor to write gives nothing. */
const toPermissions = (words: readonly string[]): Permission[] =>
  permissionsOf(words.includes('read'), words.includes('write'))

export const flag: Shape<boolean> = {
  expected: 'true or false',
  parse: answer => (typeof answer === 'boolean' ? answer : undefined),
}

/** Of `user_data` for one name: whatever it tells of the user, who then exists. */
export const existence: Shape<boolean> = {
  expected: 'JSON',
  parse: answer => isObject(answer) && Object.keys(answer).length > 0,
}

export const anything: Shape<boolean> = {expected: 'JSON', parse: () => true}

export const names: Shape<string[]> = {
  expected: 'a list of names',
  parse: answer => (isTexts(answer) ? answer : undefined),
}

export const permissionTable: Shape<Map<string, Permission[]>> = {
  expected: '{NAME: ["read", "write"]}',
  parse(answer) {
    if (!isObject(answer)) return undefined
    const table = new Map<string, Permission[]>()
    for (const [name, words] of Object.entries(answer)) {
      if (!isTexts(words)) return undefined
      table.set(name, toPermissions(words))
    }
    return table
  },
}

export const grantList: Shape<{project: string; permissions: Permission[]}[]> = {
  expected: '[{"package": PROJECT, "permissions": ["read", "write"]}]',
  parse: answer =>
    parseList(answer, ({package: project, permissions}) =>
      typeof project === 'string' && isTexts(permissions)
        ? {project, permissions: toPermissions(permissions)}
        : undefined,
    ),
}

export const userList: Shape<{username: string; admin: boolean}[]> = {
  expected: '[{"username": NAME, "admin": true or false}]',
  parse: answer =>
    parseList(answer, ({username, admin}) =>
      typeof username === 'string' && typeof admin === 'boolean' ? {username, admin} : undefined,
    ),
}

function parseList<T>(
  answer: unknown,
  parse: (item: Readonly<Record<string, unknown>>) => T | undefined,
): T[] | undefined {
  if (!Array.isArray(answer)) return undefined
  const list: T[] = []
  for (const item of answer as readonly unknown[]) {
    const parsed = isObject(item) ? parse(item) : undefined
    if (parsed === undefined) return undefined
    list.push(parsed)
  }
  return list
}
