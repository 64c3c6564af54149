import {createHash, randomBytes} from 'node:crypto'
import type {Cache} from '../../cache/cache.js'
import {HostCounter} from '../../host-counter.js'
import {growingLru} from '../../growing-lru.js'

/** How long a log-out by another host may go unnoticed. */
const believedMs = 1000
const maxRemembered = 10_000

/**
 * The last log-out of each user, as a random text: sessions carry the one that they began under, so that no clocks are
 * compared. It is kept in the cache, where all servers see it; a cache that was emptied has forgotten it, which is why
 * no session lives long (RULES 13).
 */
export class Logouts implements Disposable {
  readonly #counter: HostCounter
  readonly #known = growingLru<{text: string; seen: string; readAt: number}>(maxRemembered)

  constructor(private readonly cache: Cache) {
    this.#counter = new HostCounter(`sessions of ${cache.name}`)
  }

  /** Empty for who never logged out. At once where it is known: a second, unless this host has written meanwhile. */
  last(username: string): string | Promise<string> {
    const known = this.#known.get(username)
    if (
      known &&
      performance.now() - known.readAt < believedMs &&
      known.seen === this.#counter.read(username)
    ) {
      return known.text
    }
    return this.read(username)
  }

  /** As stored now. */
  async read(username: string): Promise<string> {
    const readAt = performance.now()
    const seen = this.#counter.read(username)
    const text = (await this.cache.getState(keyOf(username))) ?? ''
    this.#known.set(username, {text, seen, readAt})
    return text
  }

  async note(username: string): Promise<void> {
    await this.cache.setState(keyOf(username), randomBytes(12).toString('base64url'))
    this.#known.delete(username)
    this.#counter.bump([username])
  }

  [Symbol.dispose](): void {
    this.#counter[Symbol.dispose]()
  }
}

/** Names may be longer than keys. */
const keyOf = (username: string): string =>
  `logout:${createHash('sha256').update(username).digest('base64url')}`
