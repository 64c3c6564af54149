import pLimit from 'p-limit'
import {byCodePoint} from '../../by-code-point.js'
import type {Config} from '../../config/config.js'
import type {Access, AclEntry, FoundAccount, Grant, Principal, Rules} from '../access.js'
import type {TokenStore} from '../api-tokens/api-token.js'
import {exportTokens, readConfigTokens} from '../api-tokens/config-tokens.js'
import {formatConfigLines} from '../config-lines.js'
import {openConfigAccess} from '../config.js'
import {Memo} from '../memo.js'
import {Directory} from './directory.js'
import {readLdapSettings} from './settings.js'
import {DirectoryUsers, foldName, type DirectoryUser, type SeveralUsers} from './users.js'

/**
 * Users and administrators of a directory; groups and rules of the configuration file with `auth.ldap.fallback = config`,
 * otherwise none. The directory is not asked before a user is looked up, so that the rules can be exported without it.
 */
export async function openLdapAccess(config: Config): Promise<Access> {
  const settings = await readLdapSettings(config)
  const hasRules = settings.values.fallback === 'config'
  const rules = await openConfigAccess(hasRules ? config : {...config, family: () => []})
  const tokens = readConfigTokens(config)
  return new LdapAccess(new Directory(settings), rules, tokens, await collectNames(rules), hasRules)
}

/** Somebody who was dismissed is somebody no longer after that time, whatever the configuration says (RULES 11). */
const longestMemorySeconds = 300
/** Passwords that were right, when the directory is not asked again (RULES 10). */
const longestTrustSeconds = 60
const maxRemembered = 10_000
/** A password that no directory would be asked about. As for stored hashes, in characters. */
const maxPasswordLength = 4096
const lookupsAtOnce = 8

interface Found {
  readonly user: DirectoryUser | SeveralUsers | undefined
}

class LdapAccess implements Access {
  readonly name: string
  readonly verifiedForSeconds: number
  readonly formatEntries?: (entries: AsyncIterable<AclEntry>) => Promise<string>
  readonly #users: DirectoryUsers
  readonly #memorySeconds: number
  readonly #remembered = new Memo<Found>(maxRemembered)
  /** What was learnt in the same period is forgotten together. */
  #period = 0
  #periodEnds = 0
  /** Of the names in the configuration file. */
  readonly #spellings: ReadonlyMap<string, string>

  constructor(
    private readonly directory: Directory,
    private readonly rules: Access,
    readonly tokens: TokenStore,
    private readonly names: ReadonlySet<string>,
    hasRules: boolean,
  ) {
    const {places, values} = directory.settings
    this.name = places.map(({url}) => url).join(', ')
    this.#users = new DirectoryUsers(directory)
    this.#memorySeconds = Math.min(values.cacheTime ?? longestMemorySeconds, longestMemorySeconds)
    this.verifiedForSeconds = Math.min(this.#memorySeconds, longestTrustSeconds)
    this.#spellings = new Map([...names].reverse().map(name => [foldName(name), name]))
    if (hasRules) this.formatEntries = entries => this.#formatEntries(entries)
  }

  changeToken(): string {
    const now = performance.now()
    if (now >= this.#periodEnds) {
      this.#period += 1
      this.#periodEnds = now + this.#memorySeconds * 1000
    }
    return String(this.#period)
  }

  async findAccount(username: string): Promise<FoundAccount | undefined> {
    const user = await this.#find(username)
    if (!user) return undefined
    const account = {username, admin: false, pending: false}
    if ('dns' in user) {
      return {...account, problem: `${user.dns.length} entries have that name: ${user.dns.join('; ')}`}
    }
    return {...account, username: await this.#spell(username, user), admin: user.admin}
  }

  async verifyPassword(username: string, password: string): Promise<boolean> {
    if (password === '' || password.length > maxPasswordLength || password.includes('\0')) return false
    const user = await this.#find(username)
    return user !== undefined && !('dns' in user) && this.directory.hasPassword(user.dn, password, user.place)
  }

  listGroupsOf(username: string): Promise<string[]> {
    return this.rules.listGroupsOf(username)
  }

  getRules(project: string): Promise<Rules> {
    return this.rules.getRules(project)
  }

  listRuledProjects(): Promise<ReadonlySet<string> | undefined> {
    return this.rules.listRuledProjects()
  }

  listRulePatterns(): Promise<readonly string[]> {
    return this.rules.listRulePatterns?.() ?? Promise.resolve([])
  }

  listGrants(principal: Principal): Promise<Grant[]> {
    return this.rules.listGrants(principal)
  }

  /** Those that the configuration file names: a directory has too many to list. */
  async listUsers(): Promise<{username: string; admin: boolean}[]> {
    const limit = pLimit(lookupsAtOnce)
    const users = await Promise.all(
      [...this.names].map(username =>
        limit(async () => {
          const user = await this.#find(username)
          return user && !('dns' in user) ? [{username, admin: user.admin}] : []
        }),
      ),
    )
    return users.flat()
  }

  listGroups(): Promise<string[]> {
    return this.rules.listGroups()
  }

  listMembers(group: string): Promise<string[]> {
    return this.rules.listMembers(group)
  }

  allowsRegistration(): Promise<boolean> {
    return Promise.resolve(false)
  }

  /** Users have no hash: their passwords stay in the directory. */
  async *exportEntries(): AsyncGenerator<AclEntry> {
    const ofGroups: AclEntry[] = []
    for await (const entry of this.rules.exportEntries()) {
      if (entry.kind === 'grant') {
        if ('group' in entry.principal) ofGroups.push(entry)
      } else if (entry.kind !== 'user' && entry.kind !== 'token') yield entry
    }
    const users = await this.listUsers()
    for (const user of users) yield {kind: 'user', ...user, passwordHash: null}
    const grants = await Promise.all(users.map(({username}) => this.rules.listGrants({user: username})))
    for (const grant of byProject(grants.flat())) yield {kind: 'grant', ...grant}
    yield* ofGroups
    yield* exportTokens(this.tokens)
  }

  async listOrphans(): Promise<Grant[]> {
    const orphans = (await this.rules.listOrphans()).filter(({principal}) => 'group' in principal)
    const existing = new Set((await this.listUsers()).map(({username}) => username))
    for (const username of this.names) {
      if (!existing.has(username)) orphans.push(...(await this.rules.listGrants({user: username})))
    }
    return orphans
  }

  check(): Promise<void> {
    return this.directory.check()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.directory[Symbol.asyncDispose]()
  }

  /** Who was not found is looked for again: it may just have been added. */
  async #find(username: string): Promise<Found['user']> {
    const {serviceDn, serviceUsername} = this.directory.settings.values
    if (username === serviceUsername && serviceDn !== undefined) {
      return {dn: serviceDn, name: username, admin: true}
    }
    const find = async () => ({user: await this.#users.find(username)})
    const found = await this.#remembered.get(this.changeToken(), username, find, isKnown)
    return found.user
  }

  /** As the configuration file spells it, where the directory says that this is the same user; else as the directory does. */
  async #spell(username: string, user: DirectoryUser): Promise<string> {
    if (this.names.has(username)) return username
    const other = this.#spellings.get(foldName(user.name))
    if (other === undefined || other === user.name) return user.name
    const same = await this.#find(other)
    return same && 'dn' in same && same.dn === user.dn ? other : user.name
  }

  /** Users and administrators are what the directory says. */
  async #formatEntries(entries: AsyncIterable<AclEntry>): Promise<string> {
    async function* rulesOnly() {
      for await (const entry of entries) if (entry.kind !== 'user' && entry.kind !== 'pending') yield entry
    }
    return `# users and administrators are those of ${this.name}\n${await formatConfigLines(rulesOnly())}`
  }
}

const isKnown = ({user}: Found): boolean => user !== undefined && 'dn' in user

/** Everybody whom the configuration file names, sorted. */
async function collectNames(rules: Access): Promise<ReadonlySet<string>> {
  const names = (await rules.listUsers()).map(({username}) => username)
  for (const group of await rules.listGroups()) names.push(...(await rules.listMembers(group)))
  for (const {principal} of await rules.listOrphans()) if ('user' in principal) names.push(principal.user)
  return new Set(names.sort(byCodePoint))
}

/** All of a project together, in the order in which the projects come first. */
function byProject(grants: readonly Grant[]): Grant[] {
  const grouped = new Map<string, Grant[]>()
  for (const grant of grants) {
    const others = grouped.get(grant.project)
    if (others) others.push(grant)
    else grouped.set(grant.project, [grant])
  }
  return [...grouped.values()].flat()
}
