import type {Config} from '../config/config.js'
import {passwordFields} from '../config/schema/access.js'
import type {Access, FoundAccount} from './access.js'
import {VerifiedCredentials} from './credentials.js'
import {Decoys} from './decoys.js'
import {upgradedHash} from './hash-upgrade.js'
import type {Identity} from './identity.js'
import {Lanes} from './lanes.js'
import {Memo, whenReady} from './memo.js'
import {hashProblem, resolveScheme, verifyPassword, type PasswordScheme} from './passwords/index.js'
import {networkOf, SlowDown} from './slow-down.js'

export interface LoginOptions {
  /** Called when a log-in failed because nobody can log in with what is stored. For a log: it holds no secret. */
  readonly onUnusableAccount?: (username: string, problem: string) => void
  /** Called when a better hash of a password that was right could not be stored. For a log. */
  readonly onUpgradeFailed?: (username: string, error: unknown) => void
  /** What is known of wrong passwords already. Default: nothing. */
  readonly slowDown?: SlowDown | undefined
}

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

/** A password that is to be looked at. */
interface Login {
  readonly username: string
  readonly password: string
  readonly address: string | undefined
  readonly known: Known
}

const maxUsers = 10_000

/**
 * Who logs in with a password. One that was verified before is let in at once, any other costs one hash, unknown users
 * included; wrong ones slow down whoever sends them.
 */
export class Logins {
  readonly #access: Access
  readonly #onUnusableAccount: NonNullable<LoginOptions['onUnusableAccount']>
  readonly #onUpgradeFailed: NonNullable<LoginOptions['onUpgradeFailed']>
  /** How passwords are hashed now; undefined where old hashes stay as they are. */
  readonly #upgradeTo: {readonly scheme: PasswordScheme; readonly rounds: number | undefined} | undefined
  readonly #decoys: Decoys
  readonly #lanes = new Lanes()
  readonly #verified = new VerifiedCredentials()
  readonly #verifying = new Map<string, Promise<Verified | undefined>>()
  /** For those who say from where a password comes. */
  readonly slowDown: SlowDown
  readonly #users = new Memo<Known>(maxUsers)

  constructor(access: Access, config: Config, options: LoginOptions = {}) {
    this.#access = access
    this.slowDown = options.slowDown ?? new SlowDown()
    this.#onUnusableAccount = options.onUnusableAccount ?? (() => undefined)
    this.#onUpgradeFailed = options.onUpgradeFailed ?? (() => undefined)
    const passwords = config.read(passwordFields)
    const [scheme, {rounds}] = [resolveScheme(passwords.scheme), passwords]
    this.#decoys = new Decoys(scheme, rounds)
    this.#upgradeTo = passwords.upgradeHashes ? {scheme, rounds} : undefined
  }

  /**
   * Who has this name and password, and the stored hash that it was right for; undefined for nobody.
   * @param address from where it comes: wrong passwords from there slow it down
   * @param text in which both came, for `recall`
   * @throws {TooManyAttempts} @throws {Unavailable} when too many wait to be verified
   */
  verify(
    username: string,
    password: string,
    address?: string,
    text?: string,
  ): Verified | undefined | Promise<Verified | undefined> {
    return whenReady(this.find(username), known => {
      const {account, identity} = known
      const digest = this.#verified.digest(username, password, account?.passwordHash)
      if (identity && this.#verified.has(digest)) {
        const passwordHash = account?.passwordHash
        if (text !== undefined) this.#verified.rememberText(text, username, passwordHash)
        return {identity, passwordHash}
      }
      return this.#verifyOnce(digest, {username, password, address, known})
    })
  }

  /** Who is let in with `text` again, at once; undefined for whoever has to be verified. */
  recall(text: string): Identity | undefined {
    const known = this.#verified.recall(text)
    const found = known && this.find(known.username)
    if (!found || found instanceof Promise) return undefined
    return found.account?.passwordHash === known.passwordHash ? found.identity : undefined
  }

  /** Forgets verified passwords, as after SIGHUP. */
  forget(): void {
    this.#verified.clear()
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
}
