import type {LoadDifference} from '../access/access.js'
import {quote} from '../access/names.js'
import {count, number} from './progress.js'

const kinds: Readonly<Record<LoadDifference['kind'], string>> = {
  user: 'user',
  'pending user': 'pending user',
  'administrator flag': 'administrator flag',
  password: 'password',
  group: 'group',
  member: 'membership',
  rule: 'rule',
  token: 'API token',
  registration: 'switch for registration',
}
const words = {added: 'Added', changed: 'Changed', removed: 'Removed'} as const
const wouldWords = {added: 'Would add', changed: 'Would change', removed: 'Would remove'} as const

/** A line for each kind of difference: `Would remove 12 users: ada, bob and 10 more`. */
export function describeDifferences(differences: readonly LoadDifference[], would: boolean): string[] {
  return differences.map(({change, kind, count: all, names}) => {
    const what = `${(would ? wouldWords : words)[change]} ${count(all, kinds[kind])}`
    if (names.length === 0) return what
    const more = all > names.length ? ` and ${number(all - names.length)} more` : ''
    return `${what}: ${names.map(printable).join(', ')}${more}`
  })
}

/** Names come from a file of somebody: what a terminal would obey is shown instead. */
const printable = (name: string): string =>
  /\p{Cc}|\p{Cf}/u.test(name) || name.length > 80 ? quote(name) : name
