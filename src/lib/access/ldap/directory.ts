import {ResultCodeError, type Client, type Entry, type SearchOptions, type SearchResult} from 'ldapts'
import {ConnectionBroken, DirectoryConnection} from './connection.js'
import {DirectoryFailed, explainDirectory, hasResult, Result} from './failures.js'
import {LoginConnections} from './logins.js'
import {openReferred} from './referrals.js'
import type {LdapSettings, Place} from './settings.js'
import {Turns} from './turns.js'

export interface Search extends Pick<SearchOptions, 'filter' | 'scope' | 'attributes' | 'sizeLimit'> {
  readonly base: string
}

/** Far below what slapd takes of one connection before it closes it. */
const searchesAtOnce = 16
/** Firewalls forget silent connections after some minutes, and tell nobody. */
const idleMs = 60_000

/** How a password is refused; some servers tell the reason, which is nobody's business. */
const refusals = [
  Result.invalidCredentials,
  Result.inappropriateAuthentication,
  Result.unwillingToPerform,
  Result.constraintViolation,
  Result.invalidAttributeSyntax,
  Result.noSuchObject,
  Result.invalidDnSyntax,
  Result.insufficientAccessRights,
]

/**
 * The servers of `auth.ldap.url`, of which one is asked: searches by the service account share a connection, passwords are
 * tried on others, and each is replaced when it breaks. Nothing is connected before it is needed.
 */
export class Directory implements AsyncDisposable {
  readonly #searches: Turns
  readonly #logins: LoginConnections
  #shared: Promise<DirectoryConnection> | undefined
  #idle: NodeJS.Timeout | undefined
  /** The place that answered last. */
  #preferred = 0
  #closed = false

  constructor(readonly settings: LdapSettings) {
    this.#searches = new Turns(searchesAtOnce, settings.timeoutMs)
    this.#logins = new LoginConnections(() => this.#open(), settings.timeoutMs)
  }

  /** As the service account, or as nobody. @throws {ResultCodeError} @throws {PpcError} */
  async search({base, ...options}: Search): Promise<SearchResult> {
    try {
      return await this.#searches.take(() => this.#share(client => client.search(base, options)))
    } catch (error) {
      throw error instanceof ResultCodeError ? error : explainDirectory(error, this.settings)
    }
  }

  /**
   * Whether this is the password of the entry `dn`. Neither may be empty: that would be a log-in as nobody. What is no DN
   * might be a mechanism of SASL to ldapts.
   * @param place where the entry is, if not here
   */
  async hasPassword(dn: string, password: string, place?: Place): Promise<boolean> {
    if (!dn.includes('=') || password === '') return false
    const elsewhere = place && (() => openReferred(place, this.settings))
    try {
      await this.#logins.use(client => client.bind(dn, password), elsewhere)
      return true
    } catch (error) {
      if (hasResult(error, ...refusals)) return false
      throw explainDirectory(error, this.settings)
    }
  }

  /** @throws {PpcError} unless the service account can log in, and users can be searched where the config says. */
  async check(): Promise<void> {
    const {serviceDn, servicePassword, baseDn} = this.settings.values
    try {
      if (serviceDn !== undefined) {
        await this.#asService(this.#logins.use(client => client.bind(serviceDn, servicePassword)))
      }
      await this.search({base: baseDn ?? '', scope: 'base', attributes: ['1.1']})
    } catch (error) {
      if (baseDn === undefined && error instanceof ResultCodeError) return // what it says of itself may be hidden
      if (hasResult(error, Result.noSuchObject)) {
        const message = `the directory has no entry ${baseDn ?? ''}`
        throw new DirectoryFailed(this.settings.about('auth.ldap.base_dn', message), {cause: error})
      }
      throw explainDirectory(error, this.settings)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true
    clearTimeout(this.#idle)
    const shared = await this.#shared?.catch(() => undefined)
    this.#shared = undefined
    shared?.close()
    this.#logins.close()
  }

  /** On the connection of all searches; on a new one if that has just been lost. */
  async #share<T>(work: (client: Client) => Promise<T>): Promise<T> {
    clearTimeout(this.#idle)
    for (let attempt = 1; ; attempt += 1) {
      const connection = await this.#getShared()
      try {
        return await connection.run(work)
      } catch (error) {
        if (attempt === 2 || !(error instanceof ConnectionBroken) || error.reason === 'late') throw error
      } finally {
        this.#closeWhenIdle()
      }
    }
  }

  async #getShared(): Promise<DirectoryConnection> {
    const shared = this.#shared
    const connection = await shared
    if (connection?.isOpen) return connection
    if (this.#shared !== shared) return this.#getShared()
    const opening = this.#openService()
    this.#shared = opening
    opening.catch(() => {
      if (this.#shared === opening) this.#shared = undefined
    })
    return opening
  }

  async #openService(): Promise<DirectoryConnection> {
    const {serviceDn, servicePassword} = this.settings.values
    const connection = await this.#open()
    if (serviceDn === undefined) return connection
    try {
      await this.#asService(connection.run(client => client.bind(serviceDn, servicePassword)))
      return connection
    } catch (error) {
      connection.close()
      throw error
    }
  }

  /** Blames the config where the log-in of the service account is refused. */
  async #asService(login: Promise<void>): Promise<void> {
    try {
      await login
    } catch (error) {
      if (!hasResult(error, ...refusals)) throw error
      const {about, values} = this.settings
      const message = `the directory refuses ${values.serviceDn ?? ''}, or its auth.ldap.service_password`
      throw new DirectoryFailed(about('auth.ldap.service_dn', message), {cause: error})
    }
  }

  /** To the first place that answers, beginning with the one that did last. @throws what the first said */
  async #open(): Promise<DirectoryConnection> {
    const {places} = this.settings
    let failure: unknown
    const order = [...places.keys()].map(index => (index + this.#preferred) % places.length)
    for (const index of order) {
      try {
        const connection = await DirectoryConnection.open(places[index] as Place, this.settings)
        this.#preferred = index
        if (!this.#closed) return connection
        connection.close()
        break
      } catch (error) {
        failure ??= error
      }
    }
    throw failure instanceof Error ? failure : new ConnectionBroken(places[0] as Place, 'lost')
  }

  #closeWhenIdle(): void {
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => {
      if (this.#searches.isBusy) this.#closeWhenIdle()
      else void this.#shared?.then(connection => connection.close()).catch(() => undefined)
    }, idleMs).unref()
  }
}

/** The values of an attribute, whose name the server may spell with other capitals. Binary ones are left out. */
export function valuesOf(entry: Entry, attribute: string): string[] {
  const wanted = attribute.toLowerCase()
  const values = Object.entries(entry).flatMap(([name, value]) =>
    name !== 'dn' && name.toLowerCase() === wanted ? [value].flat() : [],
  )
  return values.filter(value => typeof value === 'string')
}
