import type {PackageStorage} from '../../storage/package-storage.js'
import {isOddity} from '../../storage/storage.js'
import {NameSet} from '../rebuild/names.js'

/** Several objects that have one file name: the one that counts, and the others. */
export interface Doubled {
  readonly winner: string
  readonly losers: readonly string[]
}

/** Finds file names that a storage has more than once, in some 20 bytes for each name. */
export class Doubles {
  readonly #seen = new NameSet()
  /** Of those that came again: the key by which the cache knows the file, if it does. */
  readonly #again = new Map<string, string | undefined>()

  get size(): number {
    return this.#seen.size
  }

  has(filename: string): boolean {
    return this.#seen.has(filename)
  }

  /** @returns whether it is the first of its name. */
  isFirst(filename: string, listedKey: string | undefined): boolean {
    if (this.#seen.has(filename)) {
      this.#again.set(filename, listedKey)
      return false
    }
    this.#seen.add(filename)
    return true
  }

  /** Lists the storage once more if there are any: which keys they have was not kept. */
  async *find({store}: PackageStorage): AsyncGenerator<Doubled> {
    if (this.#again.size === 0) return
    const keys = new Map<string, string[]>()
    for await (const entry of store.list('')) {
      const filename = entry.key.slice(entry.key.lastIndexOf('/') + 1)
      if (isOddity(entry) || !this.#again.has(filename)) continue
      keys.set(filename, [...(keys.get(filename) ?? []), entry.key])
    }
    for (const [filename, found] of keys) {
      const listed = this.#again.get(filename)
      const winner = found.find(key => key === listed) ?? found[0] ?? ''
      if (found.length > 1) yield {winner, losers: found.filter(key => key !== winner)}
    }
  }
}
