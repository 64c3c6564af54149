import {formatTime, type StoredToken, type TokenWriter} from './api-token.js'
import {growingLru} from '../../growing-lru.js'

/** Tokens that are used together are written together. */
const gatherMs = 1000
/** Where uses can't be written, it is not tried with every request. */
const againAfterMs = 60_000
const maxRemembered = 10_000

/**
 * Records when tokens were used: seldom, behind the requests, and without ever failing one. A use that can't be written
 * is forgotten, and one a minute later is tried again.
 */
export class TokenUses {
  /** Milliseconds since 1970, by id: what this process has written, or is about to. */
  readonly #recorded = growingLru<number>(maxRemembered)
  readonly #waiting = new Map<string, string>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  readonly #intervalMs: number

  constructor(private readonly writer: TokenWriter) {
    this.#intervalMs = writer.secondsBetweenUses * 1000
  }

  note({id, lastUsed}: StoredToken, now: number): void {
    const recorded = Math.max(this.#recorded.get(id) ?? 0, lastUsed === null ? 0 : Date.parse(lastUsed))
    if (now - recorded < this.#intervalMs) return
    this.#recorded.set(id, now)
    this.#waiting.set(id, formatTime(new Date(now)))
    this.#timer ??= setTimeout(() => this.#write(), gatherMs).unref()
  }

  /** When everything that was noted is written. */
  async settled(): Promise<void> {
    if (this.#timer) this.#write()
    await this.#writing
  }

  #write(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const uses = new Map(this.#waiting)
    this.#waiting.clear()
    this.#writing = this.#writing
      .then(() => this.writer.noteUses(uses))
      .catch(() => {
        const recorded = Date.now() - this.#intervalMs + againAfterMs
        for (const id of uses.keys()) this.#recorded.set(id, recorded)
      })
  }
}
