import type {TokenLimits} from './api-tokens/token-limits.js'
import {findSpecialGroup} from './names.js'

/** Who asks. `groups` are the real ones. */
export interface Identity {
  readonly username?: string
  /** With a token: only if that may be used for what administrators do. */
  readonly admin: boolean
  readonly groups: readonly string[]
  /** Of whoever comes with an API token: narrower than what its owner may. */
  readonly limits?: TokenLimits
}
export const anonymous: Identity = Object.freeze({admin: false, groups: Object.freeze([])})

/** Who decides what a token may: its owner, or nobody where the token does not reach. */
export function behind(identity: Identity, reaches: (limits: TokenLimits) => boolean): Identity {
  const {limits} = identity
  if (!limits) return identity
  return reaches(limits) ? limits.owner : anonymous
}

/** Here `admin` is a group like any other. */
export function isInAny(identity: Identity, groups: readonly string[]): boolean {
  return groups.some(group => {
    const special = findSpecialGroup(group)
    if (special === 'everyone') return true
    if (special === 'authenticated') return identity.username !== undefined
    return identity.groups.includes(group)
  })
}

/** Under which names `identity` may have rules: those of the special groups are spelt in two ways. */
export const principalsOf = ({username, groups}: Identity) => [
  ...(username === undefined ? [] : [{user: username}]),
  ...['everyone', 'system.Everyone'].map(group => ({group})),
  ...(username === undefined ? [] : ['authenticated', 'system.Authenticated'].map(group => ({group}))),
  ...groups.map(group => ({group})),
]
