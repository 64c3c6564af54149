import {findSpecialGroup, problemOfGroupName, problemOfUsername, quote} from './names.js'

/** Of each kind; one more says how many there are. */
const maxNotices = 20

/** What a load has to say, in the order in which the kinds first came. */
export class LoadNotices {
  readonly #kinds = new Map<string, {count: number; texts: string[]}>()

  noPassword(username: string): void {
    this.#add('password', `user ${quote(username)} was left out: the dump has no password hash for it`)
  }

  oddUser(username: string): void {
    const problem = problemOfUsername(username)
    if (problem !== undefined) this.#add('user', `user ${quote(username)} ${problem}: rename or delete it`)
  }

  oddGroup(group: string): void {
    const problem = problemOfGroupName(group)
    if (problem === undefined) return
    const text = findSpecialGroup(group)
      ? `group ${quote(group)} was left out: it ${problem}`
      : `group ${quote(group)} ${problem}: rename or delete it`
    this.#add('group', text)
  }

  noMember(group: string, username: string): void {
    this.#add(
      'member',
      `user ${quote(username)} was left out of group ${quote(group)}: there is no such user`,
    )
  }

  nobodysRule(project: string, kind: 'user' | 'group', name: string): void {
    this.#add(
      `${kind} rule`,
      `the rule of project ${quote(project)} for ${kind} ${quote(name)} was left out: there is no such ${kind}`,
    )
  }

  list(): string[] {
    return [...this.#kinds.values()].flatMap(({count, texts}) =>
      count > texts.length ? [...texts, `… and ${count - texts.length} more like that`] : texts,
    )
  }

  #add(kind: string, text: string): void {
    let found = this.#kinds.get(kind)
    if (!found) this.#kinds.set(kind, (found = {count: 0, texts: []}))
    found.count += 1
    if (found.texts.length < maxNotices) found.texts.push(text)
  }
}
