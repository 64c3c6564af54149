import {byCodePoint} from '../by-code-point.js'
import type {Config} from '../config/config.js'
import {configAccessFields} from '../config/schema/access.js'
import {hasWildcard, nameMatcher, normalizeName} from '../packaging/names.js'
import type {Access, Account, AclEntry, Grant, Principal, Rules} from './access.js'
import type {TokenStore} from './api-tokens/api-token.js'
import {exportTokens, readConfigTokens} from './api-tokens/config-tokens.js'
import {formatConfigLines} from './config-lines.js'
import {readConfigRules} from './config-rules.js'
import {findSpecialGroup} from './names.js'
import {RulesBuilder} from './rules.js'

/** Users, groups and rules of the configuration file: `user.*`, `group.*`, `package.*`, `auth.admins`. */
export const openConfigAccess = (config: Config): Promise<Access> => Promise.resolve(new ConfigAccess(config))

class ConfigAccess implements Access {
  readonly name: string
  readonly tokens: TokenStore
  readonly #accounts = new Map<string, Required<Account>>()
  readonly #members = new Map<string, ReadonlySet<string>>()
  readonly #groupsOf = new Map<string, string[]>()
  readonly #grants: readonly Grant[]
  /** By normalised name, or by pattern. */
  readonly #rules = new Map<string, RulesBuilder>()
  readonly #patterns: readonly {readonly matches: (name: string) => boolean; readonly rules: RulesBuilder}[]

  constructor(config: Config) {
    this.name = config.file
    this.tokens = readConfigTokens(config)
    const admins = new Set(config.read(configAccessFields).admins)
    for (const {key, value} of config.family('user.')) {
      const username = key.slice('user.'.length)
      if (username === '') continue
      this.#accounts.set(username, {
        username,
        admin: admins.has(username),
        pending: false,
        passwordHash: value,
      })
    }
    for (const {key, value} of config.family('group.')) {
      const group = key.slice('group.'.length)
      if (group === '' || findSpecialGroup(group)) continue
      const members = new Set(value.split(/\s+/).filter(Boolean))
      this.#members.set(group, members)
      for (const username of members) {
        const groups = this.#groupsOf.get(username)
        if (groups) groups.push(group)
        else this.#groupsOf.set(username, [group])
      }
    }
    this.#grants = readConfigRules(config, this.#members.keys())
    for (const {project, principal, permissions} of this.#grants) {
      const normalized = normalizeName(project)
      let rules = this.#rules.get(normalized)
      if (!rules) this.#rules.set(normalized, (rules = new RulesBuilder()))
      if ('user' in principal) rules.add('user', principal.user, permissions)
      else rules.add('group', principal.group, permissions)
    }
    this.#patterns = [...this.#rules]
      .filter(([name]) => hasWildcard(name))
      .map(([pattern, rules]) => ({matches: nameMatcher([pattern]), rules}))
  }

  changeToken(): string {
    return 'file'
  }

  findAccount(username: string): Promise<Account | undefined> {
    return Promise.resolve(this.#accounts.get(username))
  }

  listGroupsOf(username: string): Promise<string[]> {
    return Promise.resolve([...(this.#groupsOf.get(username) ?? [])].sort(byCodePoint))
  }

  getRules(project: string): Promise<Rules> {
    const name = normalizeName(project)
    const found = this.#patterns.filter(({matches}) => matches(name)).map(({rules}) => rules)
    const own = hasWildcard(name) ? undefined : this.#rules.get(name)
    return Promise.resolve(mergeRules(own ? [own, ...found] : found))
  }

  listRuledProjects(): Promise<ReadonlySet<string>> {
    return Promise.resolve(new Set([...this.#rules.keys()].filter(name => !hasWildcard(name))))
  }

  listRulePatterns(): Promise<readonly string[]> {
    return Promise.resolve([...this.#rules.keys()].filter(hasWildcard))
  }

  listGrants(principal: Principal): Promise<Grant[]> {
    const isSame = (grant: Grant) =>
      'user' in principal
        ? 'user' in grant.principal && grant.principal.user === principal.user
        : 'group' in grant.principal && grant.principal.group === principal.group
    return Promise.resolve(this.#grants.filter(isSame).sort((a, b) => byCodePoint(a.project, b.project)))
  }

  listUsers(): Promise<{username: string; admin: boolean}[]> {
    const users = [...this.#accounts.values()].map(({username, admin}) => ({username, admin}))
    return Promise.resolve(users.sort((a, b) => byCodePoint(a.username, b.username)))
  }

  listGroups(): Promise<string[]> {
    return Promise.resolve([...this.#members.keys()].sort(byCodePoint))
  }

  listMembers(group: string): Promise<string[]> {
    return Promise.resolve([...(this.#members.get(group) ?? [])].sort(byCodePoint))
  }

  allowsRegistration(): Promise<boolean> {
    return Promise.resolve(false)
  }

  /** In the order of the file. */
  async *exportEntries(): AsyncGenerator<AclEntry> {
    yield {kind: 'registration', allowed: await this.allowsRegistration()}
    for (const [name, members] of this.#members) {
      yield {kind: 'group', name}
      for (const username of members) yield {kind: 'member', group: name, username}
    }
    for (const {username, admin, passwordHash} of this.#accounts.values()) {
      yield {kind: 'user', username, admin, passwordHash}
    }
    for (const kind of ['user', 'group'] as const) {
      const byProject = new Map<string, Grant[]>()
      for (const grant of this.#grants) {
        if (!(kind in grant.principal) || this.#isOrphan(grant)) continue
        const grants = byProject.get(grant.project)
        if (grants) grants.push(grant)
        else byProject.set(grant.project, [grant])
      }
      for (const grants of byProject.values()) for (const grant of grants) yield {kind: 'grant', ...grant}
    }
    for await (const entry of exportTokens(this.tokens)) if (this.#accounts.has(entry.owner)) yield entry
  }

  listOrphans(): Promise<Grant[]> {
    return Promise.resolve(this.#grants.filter(grant => this.#isOrphan(grant)))
  }

  #isOrphan({principal}: Grant): boolean {
    if ('user' in principal) return !this.#accounts.has(principal.user)
    return !this.#members.has(principal.group) && !findSpecialGroup(principal.group)
  }

  formatEntries(entries: AsyncIterable<AclEntry>): Promise<string> {
    return formatConfigLines(entries)
  }

  async check(): Promise<void> {
    // it was read when the configuration was
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // nothing is open
  }
}

/** They add up. */
function mergeRules(all: readonly RulesBuilder[]): Rules {
  const [first] = all
  if (all.length === 1 && first) return first
  const merged = new RulesBuilder()
  for (const {users, groups} of all) {
    for (const [name, permissions] of users) merged.add('user', name, permissions)
    for (const [name, permissions] of groups) merged.add('group', name, permissions)
  }
  return merged
}
