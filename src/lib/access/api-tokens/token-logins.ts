import {timingSafeEqual} from 'node:crypto'
import {Memo, whenReady} from '../memo.js'
import type {Identity} from '../identity.js'
import {isExpired, type StoredToken, type TokenStore} from './api-token.js'
import {TokenLimits} from './token-limits.js'
import {digestOf, findTokenId} from './token-text.js'
import {TokenUses} from './token-uses.js'

/** A revoked token is one for that long, wherever it was revoked and whatever the change token says (RULES 10). */
const believedMs = 2000
const maxRemembered = 10_000

/** What the owner may, narrowed down. Made once for as long as token and owner are the same. */
interface Known {
  readonly token: StoredToken | undefined
  made?: {readonly owner: Identity; readonly identity: Identity}
}

interface Surroundings {
  /** Of the backend. */
  changeToken(): string | Promise<string>
  /** The owner as somebody who is logged in; undefined when it can't. */
  identify(username: string): Identity | undefined | Promise<Identity | undefined>
}

/** Logs programs in by their tokens. */
export class TokenLogins {
  readonly #tokens = new Memo<Known>(maxRemembered)
  readonly #uses: TokenUses | undefined

  constructor(
    private readonly store: TokenStore,
    private readonly surroundings: Surroundings,
  ) {
    this.#uses = store.writer && new TokenUses(store.writer)
  }

  /** Whoever the token acts for; undefined when it is none, expired or revoked, or its owner can't log in. */
  authenticate(text: string): Identity | undefined | Promise<Identity | undefined> {
    const id = findTokenId(text)
    if (id === undefined) return undefined
    const digest = digestOf(text)
    return whenReady(this.#find(id), known => {
      const {token} = known
      const now = Date.now()
      // the digest of another token stands in for an unknown one, so that both take the same time
      const isRight = isSame(digest, token?.sha256 ?? unknown)
      if (!token || !isRight || isExpired(token, now)) return undefined
      return whenReady(this.surroundings.identify(token.owner), owner => {
        if (!owner) return undefined
        this.#uses?.note(token, now)
        if (known.made?.owner !== owner) known.made = {owner, identity: limited(owner, token)}
        return known.made.identity
      })
    })
  }

  /** When all uses are recorded. */
  async settled(): Promise<void> {
    await this.#uses?.settled()
  }

  #find(id: string): Known | Promise<Known> {
    return whenReady(this.surroundings.changeToken(), change => {
      const period = Math.floor(performance.now() / believedMs)
      return this.#tokens.get(`${period} ${change}`, id, async () => ({token: await this.store.find(id)}))
    })
  }
}

const unknown = digestOf('')

const isSame = (a: string, b: string): boolean => timingSafeEqual(Buffer.from(a), Buffer.from(b))

function limited(owner: Identity, token: StoredToken): Identity {
  const {username, groups} = owner
  return {
    ...(username !== undefined && {username}),
    admin: owner.admin && token.scopes.includes('admin'),
    groups,
    limits: new TokenLimits(token, owner),
  }
}
