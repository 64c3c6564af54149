import {LRUCache} from 'lru-cache'
import {formatTime, type StoredToken, type TokenWriter} from './api-token.js'

/** Tokens that are used together are written together. */
const gatherMs = 1000
const maxRemembered = 10_000

/**
 * Records when tokens were used: seldom, behind the requests, and without ever failing one. A use that can't be written
 * now is forgotten; the next one is tried again.
 */
export class TokenUses {
  /** Milliseconds since 1970, by id: what this process has written, or is about to. */
  readonly #recorded = new LRUCache<string, number>({max: maxRemembered})
  readonly #waiting = new Map<string, string>()
  #timer: NodeJS.Timeout | undefined
  #writing: Promise<void> = Promise.resolve()

  constructor(private readonly writer: TokenWriter) {}

  note({id, lastUsed}: StoredToken, now: number): void {
    const recorded = Math.max(this.#recorded.get(id) ?? 0, lastUsed === null ? 0 : Date.parse(lastUsed))
    if (now - recorded < this.writer.secondsBetweenUses * 1000) return
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
        for (const id of uses.keys()) this.#recorded.delete(id)
      })
  }
}
