import {byCodePoint} from '../../by-code-point.js'
import type {Config} from '../../config/config.js'
import {HostCounter} from '../../host-counter.js'
import {normalizeName} from '../../packaging/names.js'
import type {Access, AccessWriter, Account, AclEntry, Grant, Principal, Rules} from '../access.js'
import {withoutUse, type TokenStore} from '../api-tokens/api-token.js'
import type {Blob} from './blob.js'
import {Committer} from './committer.js'
import {CurrentRules} from './current.js'
import * as reading from './reading.js'
import {Secret} from './secret.js'
import {originOf, readSecretSettings} from './settings.js'
import {listTokens, SecretsManagerTokens} from './tokens.js'
import {SecretsManagerWriter} from './writer.js'

/** Users, groups and rules in one secret of AWS Secrets Manager, as pypicloud keeps them there (COMPAT §5.10). */
export async function openSecretsManagerAccess(config: Config): Promise<Access> {
  const settings = readSecretSettings(config)
  const {secretId, endpointUrl = ''} = settings.values
  const secret = new Secret(settings, originOf(config, settings))
  const host = new HostCounter(`secretsmanager://${settings.region ?? ''}/${secretId}?${endpointUrl}`)
  const current = new CurrentRules(secret, host)
  try {
    await current.get()
    return new SecretsManagerAccess(secret, host, current)
  } catch (error) {
    secret[Symbol.dispose]()
    host[Symbol.dispose]()
    throw error
  }
}

class SecretsManagerAccess implements Access {
  readonly name: string
  readonly writer: AccessWriter
  readonly tokens: TokenStore
  readonly #committer: Committer

  constructor(
    private readonly secret: Secret,
    private readonly host: HostCounter,
    private readonly current: CurrentRules,
  ) {
    this.name = secret.origin.secret
    this.#committer = new Committer(secret, current)
    this.tokens = new SecretsManagerTokens(current, this.#committer)
    this.writer = new SecretsManagerWriter(secret, current, this.#committer)
  }

  changeToken(): string | Promise<string> {
    const snapshot = this.current.get()
    return snapshot instanceof Promise ? snapshot.then(({token}) => token) : snapshot.token
  }

  async #blob(): Promise<Blob> {
    return (await this.current.get()).blob
  }

  async findAccount(username: string): Promise<Account | undefined> {
    return reading.findAccount(await this.#blob(), username)
  }

  async listGroupsOf(username: string): Promise<string[]> {
    return reading.listGroupsOf(await this.#blob(), username).sort(byCodePoint)
  }

  async getRules(project: string): Promise<Rules> {
    return reading.getRules(await this.#blob(), project)
  }

  async listRuledProjects(): Promise<ReadonlySet<string>> {
    const grants = reading.listGrants(await this.#blob())
    return new Set(Array.from(grants, ({project}) => normalizeName(project)))
  }

  async listGrants(principal: Principal): Promise<Grant[]> {
    const grants = Array.from(reading.listGrants(await this.#blob()))
    return grants
      .filter(grant => reading.isSame(grant.principal, principal))
      .sort((a, b) => byCodePoint(a.project, b.project))
  }

  async listUsers(): Promise<{username: string; admin: boolean}[]> {
    const {users, admins} = await this.#blob()
    return [...users.keys()].sort(byCodePoint).map(username => ({username, admin: admins.includes(username)}))
  }

  async listGroups(): Promise<string[]> {
    return reading.listGroups(await this.#blob()).sort(byCodePoint)
  }

  async listMembers(group: string): Promise<string[]> {
    return reading.listMembers(await this.#blob(), group).sort(byCodePoint)
  }

  async allowsRegistration(): Promise<boolean> {
    return (await this.#blob()).allowsRegistration
  }

  async *exportEntries(): AsyncGenerator<AclEntry> {
    const blob = await this.#blob()
    yield* reading.exportEntries(blob)
    const tokens = listTokens(blob)
    tokens.sort((a, b) => byCodePoint(a.owner, b.owner) || byCodePoint(a.id, b.id))
    for (const token of tokens) yield {kind: 'token', ...withoutUse(token)}
  }

  async listOrphans(): Promise<Grant[]> {
    const blob = await this.#blob()
    return Array.from(reading.listGrants(blob)).filter(grant => reading.isOrphan(blob, grant))
  }

  async check(): Promise<void> {
    await this.current.get()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#committer.settled()
    this.secret[Symbol.dispose]()
    this.host[Symbol.dispose]()
  }
}
