import {InvalidInput} from '../errors.js'
import {tokenUser} from './api-tokens/token-text.js'

/** Groups that everybody is in, or everybody who is logged in. They are in no list of groups and have no members. */
export const specialGroups = ['everyone', 'authenticated'] as const
export type SpecialGroup = (typeof specialGroups)[number]

const specialNames: ReadonlyMap<string, SpecialGroup> = new Map([
  ['everyone', 'everyone'],
  ['authenticated', 'authenticated'],
  // Pyramid's principals, which pypicloud's lists of groups accept too
  ['system.Everyone', 'everyone'],
  ['system.Authenticated', 'authenticated'],
])
export const findSpecialGroup = (group: string): SpecialGroup | undefined => specialNames.get(group)

/** What the columns of pypicloud's tables hold. */
export const maxLength = 255

function problemOfName(name: string): string | undefined {
  if (name.trim() === '') return 'is empty'
  if (name !== name.trim()) return 'begins or ends with a blank'

  if (/[\u0000-\u001f\u007f]/.test(name)) return 'holds a control character'
  if (Array.from(name).length > maxLength) return `has more than ${maxLength} characters`
  return undefined
}

/** Why no user may be created under this name. Imports keep such users, with a notice: pypicloud let them be made. */
export function problemOfUsername(username: string): string | undefined {
  if (username === tokenUser) return 'is what clients send with an API token'
  if (username.includes(':')) return 'holds a colon, with which nobody can log in'
  return problemOfName(username)
}

/** Why no group may be created under this name. */
export function problemOfGroupName(group: string): string | undefined {
  if (findSpecialGroup(group)) return 'has a meaning of its own'
  if (group === 'admin') return 'means the administrators in the configuration'
  return problemOfName(group)
}

/** @throws {InvalidInput} RULES 33 */
export function checkUsername(username: string): void {
  const problem = problemOfUsername(username)
  if (problem !== undefined) throw new InvalidInput(`the user name ${quote(username)} ${problem}`)
}

/** @throws {InvalidInput} RULES 33 */
export function checkGroupName(group: string): void {
  const problem = problemOfGroupName(group)
  if (problem !== undefined) throw new InvalidInput(`the group name ${quote(group)} ${problem}`)
}

/** A name for a message: one line, not endless. */
export function quote(name: string): string {
  const characters = Array.from(name)
  return JSON.stringify(characters.length > 80 ? `${characters.slice(0, 79).join('')}…` : name)
}
