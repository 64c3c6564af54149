import {randomBytes, timingSafeEqual} from 'node:crypto'
import type {FastifyReply, FastifyRequest} from 'fastify'
import {whenReady} from '../../access/memo.js'
import type {Identity} from '../../access/identity.js'
import type {Verified} from '../../access/logins.js'
import type {AccessPolicy} from '../../access/policy.js'
import type {Cache} from '../../cache/cache.js'
import type {Config} from '../../config/config.js'
import {longestSession, sessionFields} from '../../config/schema/session.js'
import {HttpError} from '../http/errors.js'
import {formatCookie, formatNoCookie, readCookie} from './cookie.js'
import {Logouts} from './logouts.js'
import {openSealer, type Sealer} from './seal.js'

/** What a cookie holds. Times are Unix seconds. */
interface Session {
  readonly id: string
  readonly username: string
  readonly began: number
  /** When the cookie was made anew. */
  readonly seen: number
  /** Keyed digest of the stored hash and the last log-out: what changes them ends the session. */
  readonly mark: string
}

export const csrfHeader = 'x-csrf-token'

/**
 * Sessions of the web pages, which live in a sealed cookie alone. They end with their time (an hour at most), a log-out
 * of the user, a change of the password and the user's deletion (RULES 13); where a directory shows no hash of a
 * password, its change ends none.
 */
export class Sessions implements Disposable {
  readonly #settings
  readonly #sealer: Sealer | undefined
  readonly #logouts: Logouts
  readonly #idleSeconds: number
  readonly #found = new WeakMap<FastifyRequest, Session>()

  constructor(
    private readonly policy: AccessPolicy,
    cache: Cache,
    config: Config,
  ) {
    this.#settings = config.read(sessionFields)
    const {validateKey, encryptKey, timeout} = this.#settings
    this.#sealer = validateKey === undefined ? undefined : openSealer(validateKey, encryptKey)
    this.#logouts = new Logouts(cache)
    this.#idleSeconds = Math.min(timeout ?? longestSession, longestSession)
  }

  /** Whether there can be sessions: without `session.validate_key` there are none. */
  get areKept(): boolean {
    return this.#sealer !== undefined
  }

  /** Whether they end for being idle, if `keepAlive` does not see to it. */
  get areRenewed(): boolean {
    return this.areKept && this.#idleSeconds < longestSession
  }

  /** Of the cookie; undefined where there are no sessions. */
  get cookieName(): string | undefined {
    return this.areKept ? this.#settings.key : undefined
  }

  /**
   * Who the cookie of `request` says it is; undefined without a valid one.
   * @throws {HttpError} 403 where it would change something without the token that only our own pages know (RULES 31)
   */
  identify(request: FastifyRequest): Identity | undefined | Promise<Identity | undefined> {
    return whenReady(this.find(request), found => {
      if (found && !isReading(request)) this.requireToken(request, request.headers[csrfHeader])
      return found
    })
  }

  /** As `identify`, for those who check the token themselves. */
  find(request: FastifyRequest): Identity | undefined | Promise<Identity | undefined> {
    const session = this.#read(request.headers.cookie)
    if (!session) return undefined
    return whenReady(this.policy.find(session.username), ({identity, account}) => {
      if (identity?.username !== session.username) return undefined
      return whenReady(this.#logouts.last(session.username), logout => {
        const mark = this.#markOf(session.username, account?.passwordHash, logout)
        if (mark === undefined || !isSame(mark, session.mark)) return undefined
        this.#found.set(request, session)
        return identity
      })
    })
  }

  /** Whether `identify` or `find` has found out by cookie who asks. */
  wasUsed(request: FastifyRequest): boolean {
    return this.#found.has(request)
  }

  /** What forms and scripts of our pages send with each change; undefined where no cookie was used. */
  tokenOf(request: FastifyRequest): string | undefined {
    const session = this.#found.get(request)
    return session && this.#tokenOf(session)
  }

  /** @throws {HttpError} 403 when a session is used and `token` is not that of it. */
  requireToken(request: FastifyRequest, token: unknown): void {
    const session = this.#found.get(request)
    if (!session) return
    const right = this.#tokenOf(session)
    if (typeof token === 'string' && right !== undefined && isSame(token, right)) return
    throw new HttpError(
      403,
      'A change by cookie needs the CSRF token that the log-in gave, in the header X-CSRF-Token',
      {form: 'raised'},
    )
  }

  /** Begins a session, always a new one. @returns its CSRF token. @throws {HttpError} 400 where there are none. */
  async begin(reply: FastifyReply, {identity, passwordHash}: Verified): Promise<string> {
    const {username} = identity
    if (!this.#sealer || username === undefined) {
      throw new HttpError(400, 'Logging in by cookie needs session.validate_key in the config', {
        form: 'raised',
      })
    }
    const logout = await this.#logouts.read(username)
    const now = unixNow()
    const session: Session = {
      id: randomBytes(16).toString('base64url'),
      username,
      began: now,
      seen: now,
      mark: this.#markOf(username, passwordHash, logout) ?? '',
    }
    this.#send(reply, session)
    return this.#tokenOf(session) ?? ''
  }

  /** Makes the cookie anew before it is idle for too long. */
  keepAlive(request: FastifyRequest, reply: FastifyReply): void {
    const session = this.#found.get(request)
    if (!session || reply.hasHeader('set-cookie')) return
    const now = unixNow()
    if (now - session.seen >= this.#idleSeconds / 10) this.#send(reply, {...session, seen: now})
  }

  /** Ends all sessions of who asks by a valid cookie, on every server; the browser forgets its own in any case. */
  async end(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    void reply.header('set-cookie', formatNoCookie(this.#settings))
    const session = this.#found.get(request)
    if (session) await this.#logouts.note(session.username)
  }

  [Symbol.dispose](): void {
    this.#logouts[Symbol.dispose]()
  }

  #send(reply: FastifyReply, session: Session): void {
    const left = Math.min(session.began + longestSession - unixNow(), this.#idleSeconds)
    const value = this.#sealer?.seal(JSON.stringify(session)) ?? ''
    void reply.header('set-cookie', formatCookie(value, left, this.#settings))
  }

  #read(header: string | undefined): Session | undefined {
    const value = header === undefined || !this.#sealer ? undefined : readCookie(header, this.#settings.key)
    const text = value === undefined ? undefined : this.#sealer?.unseal(value)
    if (text === undefined) return undefined
    const session = JSON.parse(text) as Session // sealed: we wrote it
    const now = unixNow()
    return now - session.began < longestSession && now - session.seen < this.#idleSeconds
      ? session
      : undefined
  }

  #markOf(username: string, passwordHash: string | undefined, logout: string): string | undefined {
    return this.#sealer?.digest(JSON.stringify(['mark', username, passwordHash ?? null, logout]))
  }

  #tokenOf({id}: Session): string | undefined {
    return this.#sealer?.digest(JSON.stringify(['token', id]))
  }
}

const isReading = ({method}: FastifyRequest): boolean => method === 'GET' || method === 'HEAD'
const unixNow = (): number => Math.floor(Date.now() / 1000)
const isSame = (a: string, b: string): boolean => {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
