import {findSpecialGroup, problemOfGroupName, problemOfUsername, quote} from './names.js'

/** Of each kind; one more says how many there are. */
export const maxNotices = 20

/** What there is to say of what a load could not take as it was. Undefined: nothing. */
export const loadNotice = {
  noPassword: (username: string): string =>
    `user ${quote(username)} was left out: the dump has no password hash for it`,

  oddUser(username: string): string | undefined {
    const problem = problemOfUsername(username)
    return problem && `user ${quote(username)} ${problem}: rename or delete it`
  },

  oddGroup(group: string): string | undefined {
    const problem = problemOfGroupName(group)
    if (problem === undefined) return undefined
    return findSpecialGroup(group)
      ? `group ${quote(group)} was left out: it ${problem}`
      : `group ${quote(group)} ${problem}: rename or delete it`
  },

  noMember: (group: string, username: string): string =>
    `user ${quote(username)} was left out of group ${quote(group)}: there is no such user`,

  nobodysRule: (project: string, kind: 'user' | 'group', name: string): string =>
    `the rule of project ${quote(project)} for ${kind} ${quote(name)} was left out: there is no such ${kind}`,

  nobodysToken: (id: string, owner: string): string =>
    `the API token ${quote(id)} of ${quote(owner)} was left out: there is no such user`,

  noAdmin: 'nobody is an administrator after this: ppc user admin CONFIG NAME on makes one',

  more: (count: number): string => `… and ${count} more like that`,
}

/** What a load has to say, in the order in which the kinds first came. */
export class LoadNotices {
  readonly #kinds = new Map<string, {count: number; texts: string[]}>()

  noPassword(username: string): void {
    this.#add('password', loadNotice.noPassword(username))
  }

  oddUser(username: string): void {
    this.#add('user', loadNotice.oddUser(username))
  }

  oddGroup(group: string): void {
    this.#add('group', loadNotice.oddGroup(group))
  }

  noMember(group: string, username: string): void {
    this.#add('member', loadNotice.noMember(group, username))
  }

  nobodysRule(project: string, kind: 'user' | 'group', name: string): void {
    this.#add(`${kind} rule`, loadNotice.nobodysRule(project, kind, name))
  }

  nobodysToken(id: string, owner: string): void {
    this.#add('token', loadNotice.nobodysToken(id, owner))
  }

  list(): string[] {
    return [...this.#kinds.values()].flatMap(({count, texts}) =>
      count > texts.length ? [...texts, loadNotice.more(count - texts.length)] : texts,
    )
  }

  #add(kind: string, text: string | undefined): void {
    if (text === undefined) return
    let found = this.#kinds.get(kind)
    if (!found) this.#kinds.set(kind, (found = {count: 0, texts: []}))
    found.count += 1
    if (found.texts.length < maxNotices) found.texts.push(text)
  }
}
