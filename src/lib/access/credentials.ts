import {hash, randomBytes} from 'node:crypto'
import {growingLru} from '../growing-lru.js'

const maxRemembered = 10_000
/** Where the directory shows no stored hash, nothing but the time tells that a password was changed. */
const unseenChangeSeconds = 60

/**
 * Passwords that have just been verified, so that an installation of 200 packages costs one hash (RULES 10). Only
 * successes, and only digests under a key that dies with the process. The stored hash is part of the digest: a changed
 * password is unknown at once.
 */
export class VerifiedCredentials {
  readonly #key = randomBytes(32).toString('base64')
  readonly #digests = growingLru<true>(maxRemembered)

  /** What was sent, by its digest, and for whom it was right. Only where there is a stored hash to compare. */
  readonly #texts = growingLru<{readonly username: string; readonly passwordHash: string}>(maxRemembered)

  digest(username: string, password: string, storedHash: string | undefined): string {
    const text = JSON.stringify([username, storedHash ?? null, password]) // no two lists give the same text
    return this.#digestOf(text)
  }

  has(digest: string): boolean {
    return this.#digests.get(digest) === true
  }

  /** @param seconds for how long, where there is no stored hash; 60 at most */
  remember(digest: string, storedHash: string | undefined, seconds = unseenChangeSeconds): void {
    if (storedHash !== undefined) this.#digests.set(digest, true)
    else if (seconds > 0)
      this.#digests.set(digest, true, {ttl: Math.min(seconds, unseenChangeSeconds) * 1000})
  }

  /** @param text in which a name and a password that was verified came, as it was sent: to read it once is enough. */
  rememberText(text: string, username: string, passwordHash: string | undefined): void {
    if (passwordHash !== undefined) this.#texts.set(this.#digestOf(text), {username, passwordHash})
  }

  /** For whom `text` was right, while the stored hash is `passwordHash`. */
  recall(text: string): {readonly username: string; readonly passwordHash: string} | undefined {
    return this.#texts.get(this.#digestOf(text))
  }

  clear(): void {
    this.#digests.clear()
    this.#texts.clear()
  }

  /** Each request costs one: in one call it is five times as fast as an HMAC, which nobody needs who sees no digest. */
  #digestOf(text: string): string {
    return hash('sha256', this.#key + text, 'base64')
  }
}
