import pLimit from 'p-limit'
import type {Config} from '../config/config.js'
import {deleteGroups, overwriteGroups} from '../config/derived.js'
import {passwordFields} from '../config/schema/access.js'
import {nameMatcher, normalizeName} from '../packaging/names.js'
import type {Access, FoundAccount, Permission, Rules} from './access.js'
import type {TokenScope} from './api-tokens/api-token.js'
import type {TokenLimits} from './api-tokens/token-limits.js'
import {tokenUser} from './api-tokens/token-text.js'
import {TokenLogins} from './api-tokens/token-logins.js'
import {VerifiedCredentials} from './credentials.js'
import {Decoys} from './decoys.js'
import {Lanes} from './lanes.js'
import {Memo, whenReady} from './memo.js'
import {findSpecialGroup} from './names.js'
import {upgradedHash} from './hash-upgrade.js'
import {hashProblem, resolveScheme, verifyPassword, type PasswordScheme} from './passwords/index.js'
import {networkOf, SlowDown} from './slow-down.js'

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

export interface PolicyOptions {
  /** Called when a log-in failed because nobody can log in with what is stored. For a log: it holds no secret. */
  readonly onUnusableAccount?: (username: string, problem: string) => void
  /** Called when a better hash of a password that was right could not be stored. For a log. */
  readonly onUpgradeFailed?: (username: string, error: unknown) => void
  /** What is known of wrong passwords already. Default: nothing. */
  readonly slowDown?: SlowDown | undefined
}

/** What a token needs for a permission, unless another scope is asked for. */
const usualScope: Readonly<Record<Permission, TokenScope>> = {read: 'read', write: 'upload'}

/** A user as of a change token. `identity` is missing where nobody can log in. */
export interface Known {
  readonly account: FoundAccount | undefined
  readonly identity: Identity | undefined
}

/** Who logged in, and by which stored hash. */
export interface Verified {
  readonly identity: Identity
  readonly passwordHash: string | undefined
}

const maxUsers = 10_000
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
  readonly #onUnusableAccount: NonNullable<PolicyOptions['onUnusableAccount']>
  readonly #onUpgradeFailed: NonNullable<PolicyOptions['onUpgradeFailed']>
  readonly #overwriteGroups: readonly string[]
  readonly #deleteGroups: readonly string[]
  /** How passwords are hashed now; undefined where old hashes stay as they are. */
  readonly #upgradeTo: {readonly scheme: PasswordScheme; readonly rounds: number | undefined} | undefined
  readonly #decoys: Decoys
  readonly #lanes = new Lanes()
  readonly #verified = new VerifiedCredentials()
  readonly #verifying = new Map<string, Promise<Verified | undefined>>()
  /** For those who say from where a password comes. */
  readonly slowDown: SlowDown
  readonly #users = new Memo<Known>(maxUsers)
  readonly #rules = new Memo<Rules>(maxProjects)
  readonly #ruled = new Memo<{readonly projects: ProjectSet | undefined}>(1)
  readonly #readable = new Memo<ProjectSet>(maxListings)
  readonly #tokens: TokenLogins | undefined

  constructor(access: Access, config: Config, options: PolicyOptions = {}) {
    this.#access = access
    this.#config = config.core
    this.slowDown = options.slowDown ?? new SlowDown()
    this.#onUnusableAccount = options.onUnusableAccount ?? (() => undefined)
    this.#onUpgradeFailed = options.onUpgradeFailed ?? (() => undefined)
    const passwords = config.read(passwordFields)
    const [scheme, {rounds}] = [resolveScheme(passwords.scheme), passwords]
    this.#decoys = new Decoys(scheme, rounds)
    this.#upgradeTo = passwords.upgradeHashes ? {scheme, rounds} : undefined
    this.#overwriteGroups = overwriteGroups(config.core)
    this.#deleteGroups = deleteGroups(config.core)
    this.#tokens =
      access.tokens &&
      new TokenLogins(access.tokens, {
        changeToken: () => access.changeToken(),
        identify: username => this.identify(username),
      })
  }

  /** Differs whenever a decision may differ. */
  changeToken(): string | Promise<string> {
    return this.#access.changeToken()
  }

  /**
   * Who has this name and password; undefined for nobody. A log-in that was verified before is answered at once, any
   * other costs one hash, unknown users included.
   * @param address from where it comes: wrong passwords from there slow it down
   * @throws {TooManyAttempts} @throws {Unavailable} when too many wait to be verified
   */
  authenticate(
    username: string,
    password: string,
    address?: string,
  ): Identity | undefined | Promise<Identity | undefined> {
    return whenReady(this.verify(username, password, address), verified => verified?.identity)
  }

  /** As `authenticate`, with the stored hash that the password was right for. */
  verify(
    username: string,
    password: string,
    address?: string,
  ): Verified | undefined | Promise<Verified | undefined> {
    return whenReady(this.find(username), known => {
      const {account, identity} = known
      const digest = this.#verified.digest(username, password, account?.passwordHash)
      if (identity && this.#verified.has(digest)) return {identity, passwordHash: account?.passwordHash}
      return this.#verifyOnce(digest, {username, password, address, known})
    })
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

  /** A user that is known to be who it is; undefined when there is none or it is pending. */
  identify(username: string): Identity | undefined | Promise<Identity | undefined> {
    return whenReady(this.find(username), ({identity}) => identity)
  }

  /** Forgets verified passwords, as after SIGHUP. */
  forgetCredentials(): void {
    this.#verified.clear()
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

  /** A user as stored now, and who it is if it can log in. */
  find(username: string): Known | Promise<Known> {
    const find = async (): Promise<Known> => {
      const account = await this.#access.findAccount(username)
      if (!account || account.pending || account.problem !== undefined) return {account, identity: undefined}
      const groups = await this.#access.listGroupsOf(account.username)
      return {account, identity: {username: account.username, admin: account.admin, groups}}
    }
    // A directory does not tell that somebody was added: who can't log in is looked for again.
    const keep = ({identity}: Known) => identity !== undefined || !this.#access.verifyPassword
    return whenReady(this.#access.changeToken(), token => this.#users.get(token, username, find, keep))
  }

  /** Requests of one client come in dozens: they share the hash. */
  #verifyOnce(digest: string, login: Login): Promise<Verified | undefined> {
    const running = this.#verifying.get(digest)
    if (running) return running
    const verifying = this.#verifySlowly(digest, login).finally(() => this.#verifying.delete(digest))
    this.#verifying.set(digest, verifying)
    return verifying
  }

  async #verifySlowly(digest: string, login: Login): Promise<Verified | undefined> {
    const {username, password, address, known} = login
    const {account, identity} = known
    // one account, however its name is spelt
    const attempt =
      address === undefined ? undefined : this.slowDown.begin(account?.username ?? username, address)
    let isRight: boolean
    try {
      const verify = () => this.#verify(password, username, account)
      isRight = await (address === undefined ? verify() : this.#lanes.run(networkOf(address), verify))
    } catch (error) {
      attempt?.cancelled()
      throw error
    }
    if (!isRight || !identity) {
      attempt?.failed()
      return undefined
    }
    attempt?.succeeded()
    const passwordHash = await this.#upgrade(account, password)
    if (passwordHash === account?.passwordHash) {
      this.#verified.remember(digest, passwordHash, this.#access.verifiedForSeconds)
    } else {
      this.#verified.remember(this.#verified.digest(username, password, passwordHash), passwordHash)
    }
    return {identity, passwordHash}
  }

  /** @returns the hash that is stored now. Only over the one that was just right: a changed password stays (RULES 12). */
  async #upgrade(account: FoundAccount | undefined, password: string): Promise<string | undefined> {
    const stored = account?.passwordHash
    const {writer} = this.#access
    if (!this.#upgradeTo || !writer || account === undefined || stored === undefined) return stored
    try {
      const better = await upgradedHash(password, stored, this.#upgradeTo)
      if (better === undefined) return stored
      return (await writer.setPasswordHash(account.username, better, stored)) ? better : stored
    } catch (error) {
      this.#onUpgradeFailed(account.username, error)
      return stored
    }
  }

  async #verify(password: string, username: string, account: FoundAccount | undefined): Promise<boolean> {
    if (account?.problem !== undefined) {
      this.#onUnusableAccount(username, account.problem)
    } else if (account?.passwordHash === undefined) {
      if (this.#access.verifyPassword) return this.#access.verifyPassword(username, password)
    } else {
      const problem = hashProblem(account.passwordHash)
      if (problem === undefined) {
        this.#decoys.learn(account.passwordHash)
        return verifyPassword(password, account.passwordHash)
      }
      this.#onUnusableAccount(username, problem)
    }
    await verifyPassword(password, this.#decoys.for(username))
    return false
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

/** A password that is to be looked at. */
interface Login {
  readonly username: string
  readonly password: string
  readonly address: string | undefined
  readonly known: Known
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

/** Who decides what a token may: its owner, or nobody where the token does not reach. */
function behind(identity: Identity, reaches: (limits: TokenLimits) => boolean): Identity {
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

const principalsOf = ({username, groups}: Identity) => [
  ...(username === undefined ? [] : [{user: username}]),
  ...['everyone', 'system.Everyone'].map(group => ({group})),
  ...(username === undefined ? [] : ['authenticated', 'system.Authenticated'].map(group => ({group}))),
  ...groups.map(group => ({group})),
]
