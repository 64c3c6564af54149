import {InvalidInput} from '../../errors.js'
import {normalizeName} from '../../packaging/names.js'
import {quote} from '../names.js'
import {tokenScopes, type ApiToken, type TokenScope} from './api-token.js'
import {isTokenId} from './token-text.js'

/** A token as texts, which every place that keeps tokens has room for: columns, JSON, a line. Lists by blanks. */
export interface TokenFields {
  readonly id: string
  readonly owner: string
  readonly sha256: string
  readonly name: string
  readonly scopes: string
  readonly projects: string
  readonly created: string
  readonly expires: string | null
}
export const tokenFieldNames = [
  'id',
  'owner',
  'sha256',
  'name',
  'scopes',
  'projects',
  'created',
  'expires',
] as const

export const maxNameLength = 100
export const maxProjects = 100

export const fieldsOf = (token: ApiToken): TokenFields => ({
  id: token.id,
  owner: token.owner,
  sha256: token.sha256,
  name: token.name,
  scopes: token.scopes.join(' '),
  projects: token.projects.join(' '),
  created: token.created,
  expires: token.expires,
})

/** @throws {InvalidInput} saying which field is wrong; what is missing is. */
export function tokenOf(fields: Readonly<Record<string, unknown>>): ApiToken {
  const text = (field: string, isRight: (value: string) => boolean, fallback?: string): string => {
    const value = fields[field] ?? fallback
    if (typeof value === 'string' && isRight(value)) return value
    const which = typeof fields['id'] === 'string' ? ` ${quote(fields['id'])}` : ''
    throw new InvalidInput(`the API token${which} has no usable "${field}"`)
  }
  const id = text('id', isTokenId)
  const expires = text('expires', value => value === '' || isTime(value), '')
  return {
    id,
    owner: text('owner', value => value !== ''),
    sha256: text('sha256', value => /^[0-9a-f]{64}$/.test(value)),
    name: text('name', value => problemOfTokenName(value) === undefined, ''),
    scopes: parseScopes(words(text('scopes', () => true))),
    projects: parseProjects(words(text('projects', () => true, ''))),
    created: text('created', isTime),
    expires: expires === '' ? null : expires,
  }
}

const words = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean)
const isTime = (text: string): boolean =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) && !Number.isNaN(Date.parse(text))

/** In their own order, each once. @throws {InvalidInput} for none, and for unknown ones. */
export function parseScopes(scopes: readonly string[]): TokenScope[] {
  const known: readonly string[] = tokenScopes
  const unknown = scopes.find(scope => !known.includes(scope))
  if (unknown !== undefined || scopes.length === 0) {
    const found = unknown === undefined ? 'no scope' : `the scope ${quote(unknown)}`
    throw new InvalidInput(`found ${found} for an API token, expected some of ${tokenScopes.join(', ')}`)
  }
  return tokenScopes.filter(scope => scopes.includes(scope))
}

/** Names and patterns, normalised, sorted, each once. @throws {InvalidInput} for what no project can be called. */
export function parseProjects(projects: readonly string[]): string[] {
  for (const project of projects) {
    if (!/^[a-z0-9._*-]{1,255}$/i.test(project)) {
      throw new InvalidInput(
        `found ${quote(project)} for an API token, expected the name of a project or a pattern such as acme-*`,
      )
    }
  }
  const found = [...new Set(projects.map(normalizeName))].sort()
  if (found.length > maxProjects) {
    throw new InvalidInput(`an API token can be limited to ${maxProjects} projects and patterns at most`)
  }
  return found
}

/** It stands in lines of configuration files, before other words with `=`. */
export function problemOfTokenName(name: string): string | undefined {
  if (name !== name.trim()) return 'begins or ends with a blank'
  if (/[\u0000-\u001f\u007f]/.test(name)) return 'holds a control character'
  if (name.includes('=')) return 'holds an equals sign'
  if (Array.from(name).length > maxNameLength) return `has more than ${maxNameLength} characters`
  return undefined
}
