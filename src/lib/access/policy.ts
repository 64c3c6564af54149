import pLimit from 'p-limit'
import type {Config} from '../config/config.js'
import {deleteGroups, overwriteGroups} from '../config/derived.js'
import {nameMatcher, normalizeName} from '../packaging/names.js'
import type {Access, Permission, Rules} from './access.js'
import type {TokenScope} from './api-tokens/api-token.js'
import type {TokenLimits} from './api-tokens/token-limits.js'
import {TokenLogins} from './api-tokens/token-logins.js'
import {tokenUser} from './api-tokens/token-text.js'
import {anonymous, behind, isInAny, principalsOf, type Identity} from './identity.js'
import {Logins, type Known, type LoginOptions, type Verified} from './logins.js'
import {Memo, whenReady} from './memo.js'
import type {SlowDown} from './slow-down.js'

/** What a token needs for a permission, unless another scope is asked for. */
const usualScope: Readonly<Record<Permission, TokenScope>> = {read: 'read', write: 'upload'}

const maxProjects = 20_000
/** Where each project has to be looked at. */
const lookedAtOnce = 16
/** Sets of project names, each as large as the index may be. */
const maxListings = 200

/**
 * What follows from the stored rules (COMPAT §5.1): special groups, default groups, administrators. Everything is
 * remembered until the backend's change token differs, so that a request that repeats an earlier one is answered
 * without waiting.
 */
export class AccessPolicy {
  readonly #access: Access
  readonly #config: Config['core']
  readonly #logins: Logins
  readonly #overwriteGroups: readonly string[]
  readonly #deleteGroups: readonly string[]
  readonly #rules = new Memo<Rules>(maxProjects)
  readonly #ruled = new Memo<{readonly projects: ProjectSet | undefined}>(1)
  readonly #readable = new Memo<ProjectSet>(maxListings)
  readonly #tokens: TokenLogins | undefined

  constructor(access: Access, config: Config, options: LoginOptions = {}) {
    this.#access = access
    this.#config = config.core
    this.#logins = new Logins(access, config, options)
    this.#overwriteGroups = overwriteGroups(config.core)
    this.#deleteGroups = deleteGroups(config.core)
    this.#tokens =
      access.tokens &&
      new TokenLogins(access.tokens, {
        changeToken: () => access.changeToken(),
        identify: username => this.identify(username),
      })
  }

  /** For those who say from where a password comes. */
  get slowDown(): SlowDown {
    return this.#logins.slowDown
  }

  /** Differs whenever a decision may differ. */
  changeToken(): string | Promise<string> {
    return this.#access.changeToken()
  }

  /**
   * Who has this name and password; undefined for nobody. A log-in that was verified before is answered at once, any
   * other costs one hash, unknown users included.
   * @param address from where it comes: wrong passwords from there slow it down
   * @param text in which both came, for `recall`
   * @throws {TooManyAttempts} @throws {Unavailable} when too many wait to be verified
   */
  authenticate(
    username: string,
    password: string,
    address?: string,
    text?: string,
  ): Identity | undefined | Promise<Identity | undefined> {
    return whenReady(this.#logins.verify(username, password, address, text), verified => verified?.identity)
  }

  /** Who is let in with `text` again, at once; undefined for whoever has to be authenticated. */
  recall(text: string): Identity | undefined {
    return this.#logins.recall(text)
  }

  /** As `authenticate`, with the stored hash that the password was right for. */
  verify(
    username: string,
    password: string,
    address?: string,
  ): Verified | undefined | Promise<Verified | undefined> {
    return this.#logins.verify(username, password, address)
  }

  /**
   * Whom an API token acts for, with its limits; undefined for what is no token, or none any more.
   * @param address from where it comes. What is wrong is refused more slowly; a right one is never held up by that.
   * @throws {TooManyAttempts}
   */
  authenticateToken(text: string, address?: string): Identity | undefined | Promise<Identity | undefined> {
    const refuse = () =>
      Promise.resolve(address).then(from => {
        if (from !== undefined) this.slowDown.begin(tokenUser, from).failed()
        return undefined
      })
    return whenReady(this.#tokens?.authenticate(text), identity => identity ?? refuse())
  }

  /** When all that is written behind requests is written. */
  async settled(): Promise<void> {
    await this.#tokens?.settled()
  }

  /** A user as stored now, and who it is if it can log in. */
  find(username: string): Known | Promise<Known> {
    return this.#logins.find(username)
  }

  /** A user that is known to be who it is; undefined when there is none or it is pending. */
  identify(username: string): Identity | undefined | Promise<Identity | undefined> {
    return whenReady(this.find(username), ({identity}) => identity)
  }

  /** Forgets verified passwords, as after SIGHUP. */
  forgetCredentials(): void {
    this.#logins.forget()
  }

  /**
   * @param project in any spelling
   * @param scope what a token needs for it; it may always do what anybody may without a login
   */
  can(
    asking: Identity,
    project: string,
    permission: Permission,
    scope = usualScope[permission],
  ): boolean | Promise<boolean> {
    const name = normalizeName(project)
    const identity = behind(asking, limits => limits.allows(scope, name))
    if (identity.admin) return true
    return whenReady(this.#access.changeToken(), token =>
      whenReady(
        this.#rules.get(token, name, () => this.#access.getRules(name)),
        rules => this.#allows(identity, rules, permission),
      ),
    )
  }

  /** Those of `projects` (normalised names) that `identity` may read, in the same order. Costs no query a project. */
  async visibleProjects(identity: Identity, projects: readonly string[]): Promise<string[]> {
    if (identity.limits) return this.#visibleToToken(identity.limits, projects)
    if (identity.admin) return [...projects]
    const token = await this.#access.changeToken()
    const {projects: ruled} = await this.#ruled.get(token, '', async () => ({
      projects: await this.#collectRuled(),
    }))
    if (!ruled) return this.#lookAtEach(identity, projects)
    const readable = await this.#readable.get(token, JSON.stringify(identity), () =>
      this.#collectReadable(identity),
    )
    const byDefault = isInAny(identity, this.#config.defaultRead)
    return projects.filter(name => (ruled.has(name) ? readable.has(name) : byDefault))
  }

  /**
   * Whether a list of the configuration names `identity`: by a special group, by a real one, or by `admin`, which
   * means administrators. They have no pass of their own.
   */
  inGroups(asking: Identity, groups: readonly string[]): boolean {
    const identity = behind(asking, () => true)
    return groups.some(group => (group === 'admin' ? identity.admin : isInAny(identity, [group])))
  }

  /**
   * Whether its requests may have files of `project` (normalised) fetched from the upstream and stored here
   * (`pypi.cache_update`): with a token, only one that may `scope` there. Installing is reading.
   */
  mayStoreCopies(asking: Identity, project: string, scope: 'read' | 'upload' = 'read'): boolean {
    const identity = behind(asking, limits => limits.allows(scope, project))
    return this.inGroups(identity, this.#config.cacheUpdate)
  }

  /** May replace files of projects that it can write. */
  mayOverwrite(identity: Identity): boolean {
    return this.inGroups(identity, this.#overwriteGroups)
  }

  /** May delete files of projects that it can write. */
  mayDelete(identity: Identity): boolean {
    return this.inGroups(identity, this.#deleteGroups)
  }

  #allows(identity: Identity, rules: Rules, permission: Permission): boolean {
    if (rules.users.size === 0 && rules.groups.size === 0) {
      const {defaultRead, defaultWrite} = this.#config
      return isInAny(identity, permission === 'read' ? defaultRead : defaultWrite)
    }
    if (identity.username !== undefined && rules.users.get(identity.username)?.has(permission)) return true
    for (const [group, permissions] of rules.groups) {
      if (permissions.has(permission) && isInAny(identity, [group])) return true
    }
    return false
  }

  async #visibleToToken(limits: TokenLimits, projects: readonly string[]): Promise<string[]> {
    const [owners, everybodys] = await Promise.all([
      this.visibleProjects(limits.owner, projects),
      this.visibleProjects(anonymous, projects),
    ])
    const visible = new Set([...owners.filter(name => limits.allows('read', name)), ...everybodys])
    return projects.filter(name => visible.has(name))
  }

  async #lookAtEach(identity: Identity, projects: readonly string[]): Promise<string[]> {
    const limit = pLimit(lookedAtOnce)
    const visible = await Promise.all(projects.map(name => limit(() => this.can(identity, name, 'read'))))
    return projects.filter((_, index) => visible[index])
  }

  async #collectRuled(): Promise<ProjectSet | undefined> {
    const names = await this.#access.listRuledProjects()
    return names && new ProjectSet(names, (await this.#access.listRulePatterns?.()) ?? [])
  }

  /** Of the projects that have rules. */
  async #collectReadable(identity: Identity): Promise<ProjectSet> {
    const known = new Set(await this.#access.listRulePatterns?.())
    const names = new Set<string>()
    const patterns = new Set<string>()
    for (const principal of principalsOf(identity)) {
      for (const {project, permissions} of await this.#access.listGrants(principal)) {
        if (!permissions.includes('read')) continue
        const name = normalizeName(project)
        if (known.has(name)) patterns.add(name)
        else names.add(name)
      }
    }
    return new ProjectSet(names, [...patterns])
  }
}

/** Projects by normalised name, and all that match a pattern. */
class ProjectSet {
  readonly #matches: (name: string) => boolean

  constructor(
    private readonly names: ReadonlySet<string>,
    patterns: readonly string[],
  ) {
    this.#matches = nameMatcher(patterns)
  }

  has(name: string): boolean {
    return this.names.has(name) || this.#matches(name)
  }
}
