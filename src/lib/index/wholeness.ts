import {completeMark, fillingMark, type Cache} from '../cache/cache.js'
import {Unavailable} from '../errors.js'
import type {CachePast} from './known-caches.js'

/** The cache lists a part of what the storage has, and more with every moment. */
export class ListNotWhole extends Unavailable {
  constructor() {
    super('the list of files was lost, or never made: it is being made from the storage')
  }
}

export type WatchedCache = Pick<Cache, 'countFiles' | 'getState' | 'setState' | 'remembers'>

/** Also if it was filled by a server that ended since, and kept on its disk what it had by then. */
export const isFilling = async (cache: Pick<Cache, 'getState' | 'remembers'>): Promise<boolean> =>
  cache.remembers ? cache.remembers(fillingMark) : (await cache.getState(fillingMark)) !== undefined

/**
 * Keeps a cache that has lost its rows, or is filled for the first time, from being taken for the whole list: pip would
 * quietly install an older release, and whoever deletes a file would be told that it is not there. That the mark of
 * completeness is missing does not say so: a cache of pypicloud has none, and one that was restarted may lack the last
 * moment at most; both are answered. What this process has not seen itself, `past` knows.
 */
export class Wholeness {
  /** The mark that this process has seen last. */
  #seen: typeof completeMark | typeof fillingMark | undefined
  /** What it said, if it was that of completeness: each rebuild says something else. */
  #complete: string | undefined
  /** `begin` was called and did not succeed: whoever asks has to look first. */
  #mustLook = false
  #isNoted = false

  /** @param past Without it a cache with rows and without marks is one of pypicloud. */
  constructor(
    private readonly cache: WatchedCache,
    private readonly past?: CachePast,
  ) {}

  /**
   * What `read` finds in the cache. Read again where a rebuild has ended meanwhile: it may have been about a part.
   * @throws {ListNotWhole}
   */
  async whole<T>(read: () => Promise<T>): Promise<T> {
    for (;;) {
      const before = this.#complete
      const found = await read()
      if (await this.#isPart()) throw new ListNotWhole() // asked afterwards: what is emptied loses its mark too
      if (this.#complete === before) return found
    }
  }

  /**
   * Whether what is not found is not here. It is looked for again: when it was looked for first, the cache may have been
   * empty, and full by now.
   */
  async isAbsent(find: () => Promise<boolean>): Promise<boolean> {
    for (;;) {
      const before = this.#complete
      if (await find()) return false
      if (!(await this.isComplete())) return false
      if (this.#complete === before) return true
    }
  }

  /**
   * To be called before anything is answered, and before a row is written: a cache without rows and marks is a new one, or
   * one that has just lost them, of which rows that come now would be a part. When it fails, the next question looks.
   */
  async begin(): Promise<void> {
    this.#mustLook = true
    await this.#look({isFirst: true})
    this.#mustLook = false
  }

  /** Has it remembered that the cache is complete, so that one without marks is known to have lost them. Once. */
  async noteComplete(): Promise<void> {
    if (this.#isNoted || !this.cache.remembers) return
    this.#isNoted = true
    await this.past?.noteComplete()
  }

  /** Writes rows, where everything may be lost in between: processes that begin after that know of nothing but these rows. */
  async noting<T>(write: () => Promise<T>): Promise<T> {
    if (!this.cache.remembers && !this.#mustLook) return write()
    await this.begin()
    const written = await write()
    await this.#isPart().catch(() => undefined) // it is written; who reads next finds out
    return written
  }

  /** Whether every file is listed, so that what has no row is not here. */
  async isComplete(): Promise<boolean> {
    this.#complete = await this.cache.getState(completeMark)
    if (this.#complete === undefined) return false
    this.#seen = completeMark
    return true
  }

  async #isPart(): Promise<boolean> {
    if (this.#mustLook) await this.begin()
    return this.#look({isFirst: false})
  }

  async #look({isFirst}: {readonly isFirst: boolean}): Promise<boolean> {
    if (await this.isComplete()) return false
    if (await isFilling(this.cache)) {
      this.#seen = fillingMark
      return true
    }
    const isLost = (await this.#isEmptied()) || (isFirst && (await this.#isNew()))
    if (isLost) await this.#mark()
    return isLost
  }

  async #isEmptied(): Promise<boolean> {
    if (this.#seen === undefined) return false
    // The mark of a filling goes with its end, that of completeness only with everything else.
    return (await this.cache.remembers?.(this.#seen === completeMark ? completeMark : undefined)) === false
  }

  /** Has no rows, or as good as none: those came after everything was lost. */
  async #isNew(): Promise<boolean> {
    if (this.#seen === completeMark) return false
    if ((await this.cache.countFiles()) === 0) return true
    return (await this.cache.remembers?.()) === false && ((await this.past?.wasComplete()) ?? false)
  }

  async #mark(): Promise<void> {
    await this.cache.setState(fillingMark, new Date().toISOString())
    this.#seen = fillingMark
  }
}
