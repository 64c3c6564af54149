import pLimit from 'p-limit'
import {byCodePoint} from '../../by-code-point.js'
import type {Config} from '../../config/config.js'
import type {Values} from '../../config/fields.js'
import {remoteAccessFields} from '../../config/schema/access.js'
import type {Access, Account, AclEntry, Grant, Permission, Principal, Rules} from '../access.js'
import type {TokenStore} from '../api-tokens/api-token.js'
import {exportTokens, readConfigTokens} from '../api-tokens/config-tokens.js'
import {findSpecialGroup, specialGroups} from '../names.js'
import {RulesBuilder} from '../rules.js'
import {
  anything,
  existence,
  flag,
  grantList,
  names,
  permissionTable,
  userList,
  type Shape,
} from './answers.js'
import {BadStatus} from './failures.js'
import {RemoteServer} from './server.js'

/** Believed at most, where the passwords are others' (RULES 10). */
const longestTrustSeconds = 60
/** Requests of an export. */
const exportedAtOnce = 8

/** Users, groups and rules that another server knows, asked as pypicloud asks it (COMPAT §5.5). It can't be written. */
export async function openRemoteAccess(config: Config): Promise<Access> {
  const values = config.read(remoteAccessFields)
  const server = new RemoteServer({
    ...values,
    place(key) {
      const setting = config.settings.get(key)
      return setting && setting.line > 0
        ? `${setting.source}:${setting.line}: ${key}`
        : `${config.file}: ${key}`
    },
  })
  const access = new RemoteAccess(server, values, readConfigTokens(config))
  try {
    await access.check()
    return access
  } catch (error) {
    await access[Symbol.asyncDispose]()
    throw error
  }
}

type RemoteValues = Values<typeof remoteAccessFields>

class RemoteAccess implements Access {
  readonly name: string
  readonly verifiedForSeconds: number
  /** What was learnt in the same period is forgotten together. */
  #period = 0
  #periodEnds = 0
  #answersUserData: Promise<boolean> | undefined

  constructor(
    private readonly server: RemoteServer,
    private readonly values: RemoteValues,
    readonly tokens: TokenStore,
  ) {
    this.name = server.name
    this.verifiedForSeconds = values.cacheTime === 0 ? 0 : longestTrustSeconds
  }

  changeToken(): string {
    const now = performance.now()
    if (now >= this.#periodEnds) {
      this.#period += 1
      this.#periodEnds = now + this.values.cacheTime * 1000
    }
    return String(this.#period)
  }

  /** pypicloud never asks whether a user exists. Where a server can't say, `verify` decides. */
  async findAccount(username: string): Promise<Account | undefined> {
    if (username === '') return undefined
    const {userDataUri, adminUri} = this.values
    const [exists, admin] = await Promise.all([
      this.#ask(userDataUri, {username}, existence, {means: undefined}),
      this.#ask(adminUri, {username}, flag, {means: undefined}),
    ])
    const isGone = exists === undefined ? await this.#knowsUsers() : !exists
    return admin === undefined || isGone ? undefined : {username, admin, pending: false}
  }

  /** Whether the path is there at all, so that its 404 is about the user. */
  #knowsUsers(): Promise<boolean> {
    const asking = (this.#answersUserData ??= this.#ask(this.values.userDataUri, {}, anything, {
      means: false,
    }))
    asking.catch(() => (this.#answersUserData = undefined))
    return asking
  }

  /** Nobody has an empty password, whatever a server that hands it on to a directory may say. */
  async verifyPassword(username: string, password: string): Promise<boolean> {
    if (password === '' || password.length > maxPasswordLength) return false
    return this.#ask(this.values.verifyUri, {username, password}, flag)
  }

  async listGroupsOf(username: string): Promise<string[]> {
    return realGroups(await this.#ask(this.values.groupsUri, {username}, names, {means: []}))
  }

  async listGroups(): Promise<string[]> {
    return realGroups(await this.#ask(this.values.groupsUri, {}, names))
  }

  async listMembers(group: string): Promise<string[]> {
    const members = await this.#ask(this.values.groupMembersUri, {group}, names, {means: []})
    return [...new Set(members)].sort(byCodePoint)
  }

  async listUsers(): Promise<{username: string; admin: boolean}[]> {
    const users = await this.#ask(this.values.userDataUri, {}, userList)
    return users.sort((a, b) => byCodePoint(a.username, b.username))
  }

  async getRules(project: string): Promise<Rules> {
    const {userPermissionsUri, groupPermissionsUri} = this.values
    const parameters = {package: project}
    const [users, groups] = await Promise.all([
      this.#ask(userPermissionsUri, parameters, permissionTable, {means: new Map<string, Permission[]>()}),
      this.#ask(groupPermissionsUri, parameters, permissionTable, {means: new Map<string, Permission[]>()}),
    ])
    const rules = new RulesBuilder()
    for (const [name, permissions] of users) rules.add('user', name, permissions)
    for (const [name, permissions] of groups) rules.add('group', name, permissions)
    return rules
  }

  /** The protocol has no such question. */
  listRuledProjects(): Promise<undefined> {
    return Promise.resolve(undefined)
  }

  async listGrants(principal: Principal): Promise<Grant[]> {
    const {userPackagePermissionsUri, groupPackagePermissionsUri} = this.values
    const grants =
      'user' in principal
        ? await this.#ask(userPackagePermissionsUri, {username: principal.user}, grantList, {means: []})
        : await this.#ask(groupPackagePermissionsUri, {group: principal.group}, grantList, {means: []})
    return grants
      .map(({project, permissions}) => ({project, principal, permissions}))
      .sort((a, b) => byCodePoint(a.project, b.project))
  }

  allowsRegistration(): Promise<boolean> {
    return Promise.resolve(false)
  }

  /** As far as the server lists it: passwords stay there, and so do rules of users that it does not name. */
  async *exportEntries(): AsyncGenerator<AclEntry> {
    const limit = pLimit(exportedAtOnce)
    const [users, groups] = await Promise.all([this.listUsers(), this.listGroups()])
    yield {kind: 'registration', allowed: false}
    const members = await Promise.all(groups.map(group => limit(() => this.listMembers(group))))
    for (const [index, name] of groups.entries()) {
      yield {kind: 'group', name}
      for (const username of members[index] ?? []) yield {kind: 'member', group: name, username}
    }
    for (const user of users) yield {kind: 'user', ...user, passwordHash: null}
    const principals: Principal[][] = [
      users.map(({username}) => ({user: username})),
      [...groups, ...specialGroups].map(group => ({group})),
    ]
    for (const part of principals) {
      const grants = await Promise.all(part.map(principal => limit(() => this.listGrants(principal))))
      const byProject = grants.flat().sort((a, b) => byCodePoint(a.project, b.project))
      for (const grant of byProject) yield {kind: 'grant', ...grant}
    }
    yield* exportTokens(this.tokens)
  }

  listOrphans(): Promise<Grant[]> {
    return Promise.resolve([])
  }

  async check(): Promise<void> {
    await this.getRules('ppc-toolkit')
  }

  /** @param unknown what it means that the server knows no such user, group or path; without it that is a failure */
  async #ask<T, U = never>(
    path: string,
    parameters: Readonly<Record<string, string>>,
    shape: Shape<T>,
    unknown?: {readonly means: U},
  ): Promise<T | U> {
    let answer: unknown
    try {
      answer = await this.server.get(path, parameters)
    } catch (error) {
      if (unknown && error instanceof BadStatus && unknownStatuses.includes(error.status))
        return unknown.means
      throw error
    }
    const parsed = shape.parse(answer)
    if (parsed === undefined) throw this.server.unexpected(path, shape.expected)
    return parsed
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.server[Symbol.dispose]()
    return Promise.resolve()
  }
}

/** Also for names that are too long for its URLs. */
const unknownStatuses = [400, 404, 405, 410, 414, 431]
/** Characters. Nobody has a longer one: passlib refuses it. */
const maxPasswordLength = 4096

const realGroups = (groups: readonly string[]): string[] =>
  [...new Set(groups)].filter(group => !findSpecialGroup(group)).sort(byCodePoint)
