import {PpcError, StorageFailed, Unavailable} from '../../errors.js'
import {isOddity} from '../../storage/storage.js'
import {forEachAtOnce} from '../migrate/pool.js'
import {NameSet} from '../rebuild/names.js'
import {ObjectSync, type ChangingStep, type SyncParts} from './object-sync.js'

const defaultConcurrency = 32
/** An empty storage with more rows than this is rather a disk that is not mounted. */
const rowsWorthAsking = 10

export interface ReplayOptions {
  /** Objects that were written since then are looked at. */
  readonly since: Date
  /** Writes nothing, and reports what would be written. */
  readonly dryRun?: boolean
  /** Objects looked at the same time. Default 32. */
  readonly concurrency?: number
  readonly signal?: AbortSignal
  /** Files listed so far. */
  readonly onProgress?: (listed: number) => void
  readonly onChange?: (step: ChangingStep) => void
  /** Of one object that could not be asked about: its row stays as it is. */
  readonly onFailure?: (key: string, reason: string) => void
}

export interface ReplayReport {
  readonly since: string
  readonly dryRun: boolean
  /** Objects in the storage. */
  readonly listed: number
  /** Objects that were looked at: written since then, or with a row and not listed. */
  readonly looked: number
  readonly added: number
  readonly updated: number
  readonly removed: number
  readonly unchanged: number
  /** What is no distribution file, or does not count. */
  readonly ignored: number
  readonly failed: number
  /** Names that lost their last file: they stay reserved. */
  readonly sealed: readonly string[]
  readonly seconds: number
}

/**
 * Does what the events of a bucket since some time would have done, from its listing: for when they were lost. When a file
 * was removed no listing tells, so that every row without an object is looked at. Older objects without a row are left to a
 * rebuild. Needs no lock: each row is written on the condition that it still is what was seen.
 * @throws {StorageFailed} when nothing at all is listed while the cache has files. @throws {Unavailable}
 */
export async function replayEvents(parts: SyncParts, options: ReplayOptions): Promise<ReplayReport> {
  return new Replay(parts, options).run()
}

class Replay {
  readonly #started = performance.now()
  readonly #sync: ObjectSync
  readonly #keys = new NameSet()
  readonly #count = {looked: 0, added: 0, updated: 0, removed: 0, unchanged: 0, ignored: 0, failed: 0}
  readonly #sealed = new Set<string>()

  constructor(
    private readonly parts: SyncParts,
    private readonly options: ReplayOptions,
  ) {
    this.#sync = new ObjectSync(parts)
  }

  async run(): Promise<ReplayReport> {
    const {since, dryRun = false} = this.options
    await this.#lookAt(this.#written())
    await this.#refuseEmptyStorage()
    await this.#lookAt(this.#unlisted())
    return {
      since: since.toISOString(),
      dryRun,
      listed: this.#keys.size,
      ...this.#count,
      sealed: [...this.#sealed].sort(),
      seconds: (performance.now() - this.#started) / 1000,
    }
  }

  async *#written(): AsyncGenerator<string> {
    const {storage} = this.parts
    for await (const entry of storage.store.list('')) {
      if (isOddity(entry)) continue
      this.#keys.add(entry.key)
      this.options.onProgress?.(this.#keys.size)
      if (entry.modified >= this.options.since) yield entry.key
    }
  }

  async *#unlisted(): AsyncGenerator<string> {
    const {storage, cache} = this.parts
    for await (const row of cache.listAllFiles()) {
      const key = storage.keyOrNone(row)
      if (key !== undefined && !this.#keys.has(key)) yield key
    }
  }

  #lookAt(keys: AsyncIterable<string>): Promise<void> {
    const {concurrency = defaultConcurrency, signal} = this.options
    return forEachAtOnce(keys, concurrency, key => this.#look(key), signal)
  }

  async #look(key: string): Promise<void> {
    this.#count.looked += 1
    try {
      const step = await (this.options.dryRun ? this.#sync.plan(key) : this.#sync.bring(key))
      this.#count[step.kind] += 1
      if (!('file' in step)) return
      if (step.sealed) this.#sealed.add(step.file.name)
      this.options.onChange?.(step)
    } catch (error) {
      if (!(error instanceof PpcError) || error instanceof Unavailable) throw error
      this.#count.failed += 1
      this.options.onFailure?.(key, error.message)
    }
  }

  async #refuseEmptyStorage(): Promise<void> {
    const {storage, cache} = this.parts
    if (this.#keys.size > 0) return
    const rows = await cache.countFiles()
    if (rows <= rowsWorthAsking) return
    throw new StorageFailed(
      `the storage ${storage.store.name} lists nothing at all, while the cache has ${rows} files: nothing was removed`,
      {hint: 'Check that the storage is mounted; ppc-rebuild-cache --allow-empty empties the cache.'},
    )
  }
}
