import type {AclEntry, LoadDifference} from '../access.js'
import {fieldsOf} from '../api-tokens/token-fields.js'
import {LoadDifferences} from '../load-differences.js'
import {exportEntries} from './reading.js'
import {listTokens} from './tokens.js'
import type {Blob} from './blob.js'

type Kind = LoadDifference['kind']
/** By kind, what is there: its name, and of what it may change a text that differs then. */
type Contents = Map<Kind, Map<string, string>>

/** What differs between two states of a secret, of which each is small. */
export function compareBlobs(before: Contents, after: Contents, maxNames: number): LoadDifference[] {
  const differences = new LoadDifferences(maxNames)
  const note = (change: LoadDifference['change'], kind: Kind, names: string[]) =>
    differences.add(change, kind, names.length, names)
  for (const [kind, were] of before) {
    const are = after.get(kind) ?? new Map<string, string>()
    const isAspect = kind === 'administrator flag' || kind === 'password'
    if (!isAspect) {
      note(
        'removed',
        kind,
        [...were.keys()].filter(name => !are.has(name)),
      )
      note(
        'added',
        kind,
        [...are.keys()].filter(name => !were.has(name)),
      )
    }
    note(
      'changed',
      kind,
      [...were.keys()].filter(name => are.has(name) && are.get(name) !== were.get(name)),
    )
  }
  return differences.list()
}

export function contentsOf(blob: Blob): Contents {
  const kinds: readonly Kind[] = [
    ...(['user', 'pending user', 'administrator flag', 'password', 'group'] as const),
    ...(['member', 'rule', 'token', 'registration'] as const),
  ]
  const contents: Contents = new Map(kinds.map(kind => [kind, new Map<string, string>()]))
  const put = (kind: Kind, name: string, value = '') => contents.get(kind)?.set(name, value)
  for (const entry of exportEntries(blob)) putEntry(entry, put)
  for (const token of listTokens(blob))
    put('token', `${token.id} of ${token.owner}`, JSON.stringify(fieldsOf(token)))
  return contents
}

function putEntry(entry: AclEntry, put: (kind: Kind, name: string, value?: string) => void): void {
  if (entry.kind === 'registration') put('registration', 'switch', String(entry.allowed))
  else if (entry.kind === 'group') put('group', entry.name)
  else if (entry.kind === 'member') put('member', `${entry.username} of ${entry.group}`)
  else if (entry.kind === 'grant') {
    const {project, principal, permissions} = entry
    const who = 'user' in principal ? `user ${principal.user}` : `group ${principal.group}`
    put('rule', `${project} for ${who}`, permissions.join(' '))
  } else if (entry.kind === 'user' || entry.kind === 'pending') {
    put(entry.kind === 'user' ? 'user' : 'pending user', entry.username)
    put('password', entry.username, entry.passwordHash ?? '')
    put('administrator flag', entry.username, String(entry.kind === 'user' && entry.admin))
  }
}
