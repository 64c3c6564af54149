import {completeMark, fillingMark, type Cache} from '../cache/cache.js'
import {Unavailable} from '../errors.js'

/** The cache lists a part of what the storage has, and more with every moment. */
export class ListNotWhole extends Unavailable {
  constructor() {
    super('the list of files was lost, or never made: it is being made from the storage')
  }
}

/**
 * Keeps a cache that has lost its rows, or is filled for the first time, from being taken for the whole list: pip would
 * quietly install an older release, and whoever deletes a file would be told that it is not there. That the mark of
 * completeness is missing does not say so: a cache of pypicloud has none, and one that was restarted may lack the last
 * moment at most; both are answered.
 */
export class Wholeness {
  /** Whether this process has seen the cache complete. */
  #wasWhole = false

  constructor(private readonly cache: Pick<Cache, 'getState' | 'setState' | 'remembers'>) {}

  /** To be called after the rows were read: a cache that is emptied meanwhile loses its mark too. @throws {ListNotWhole} */
  async check(): Promise<void> {
    if (await this.isComplete()) return
    if ((await this.cache.getState(fillingMark)) === undefined) {
      const isEmptied = this.#wasWhole && (await this.cache.remembers?.(completeMark)) === false
      if (!isEmptied) return
      await this.cache.setState(fillingMark, new Date().toISOString()) // for processes that begin now
    }
    throw new ListNotWhole()
  }

  /** Whether every file is listed, so that what has no row is not here. */
  async isComplete(): Promise<boolean> {
    if ((await this.cache.getState(completeMark)) === undefined) return false
    this.#wasWhole = true
    return true
  }
}
