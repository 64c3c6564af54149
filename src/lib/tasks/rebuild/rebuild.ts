import {completeMark, type Cache} from '../../cache/cache.js'
import {StorageFailed} from '../../errors.js'
import {Notes} from '../../index/notes.js'
import type {DistFile} from '../../packaging/dist-file.js'
import type {PackageStorage} from '../../storage/package-storage.js'
import type {Oddity} from '../../storage/storage.js'
import {findGone, GoneRows, type GoneParts} from './gone.js'
import {publishedAt, reconcile} from './merge.js'

export interface RebuildParts {
  readonly storage: PackageStorage
  readonly cache: Cache
}
export interface RebuildOptions {
  /** For those who come second: host, process and command. */
  readonly owner: string
  /** Writes nothing, and reports what would be written. */
  readonly dryRun?: boolean
  /** Empties the cache when not one object is found, however many files it has. */
  readonly allowEmpty?: boolean
  readonly signal?: AbortSignal
  /** After every batch. */
  readonly onProgress?: (progress: RebuildProgress) => void
  /** Each file that differs, when it is written or removed. */
  readonly onChange?: (kind: 'added' | 'updated' | 'removed', file: DistFile) => void
}
export interface RebuildProgress {
  /** Files listed so far. */
  readonly listed: number
  readonly changed: number
}
export interface RebuildReport {
  readonly dryRun: boolean
  readonly added: number
  readonly updated: number
  readonly removed: number
  readonly unchanged: number
  /** Names that lost their last file: they are not fetched from upstream. */
  readonly sealed: readonly string[]
  /** What in the storage is no distribution file, or was left alone: the first thousand. */
  readonly oddities: readonly Oddity[]
  readonly oddityCount: number
  readonly seconds: number
}

const filesPerBatch = 1000
const odditiesKept = 1000
/** An empty storage with more rows than this is rather a disk that is not mounted. */
const rowsWorthAsking = 10

/**
 * Brings the cache in step with the storage while both are in use: the index is never empty, what others publish or
 * delete meanwhile stays published or deleted, and a run that is killed is healed by the next. Memory: the names of
 * all files.
 * @throws {LockHeld} while another run is at it. @throws {LockLost} {StorageFailed}
 */
export async function rebuildCache(parts: RebuildParts, options: RebuildOptions): Promise<RebuildReport> {
  if (options.dryRun) return new Rebuild(parts, options).run()
  await using lock = await parts.cache.acquireLock('rebuild', {owner: options.owner})
  const notes = new Notes(parts.storage.store)
  return await new Rebuild(parts, options, {...parts, lock, notes}).run()
}

class Rebuild {
  readonly #started = performance.now()
  readonly #count = {added: 0, updated: 0, removed: 0, unchanged: 0}
  readonly #sealed: string[] = []
  readonly #oddities: Oddity[] = []
  #oddityCount = 0
  /** File names that have an object. */
  readonly #seen = new Set<string>()
  readonly #gone: GoneRows | undefined

  /** @param writing Absent in a dry run. */
  constructor(
    private readonly parts: RebuildParts,
    private readonly options: RebuildOptions,
    private readonly writing?: GoneParts,
  ) {
    this.#gone = writing && new GoneRows(writing)
  }

  async run(): Promise<RebuildReport> {
    const {cache} = this.parts
    const wasComplete = (await cache.getState(completeMark)) !== undefined
    const added = await this.#takeListing(wasComplete)
    await this.#dropGone(added)
    if (this.writing) {
      this.#checkStop()
      await cache.setState(completeMark, new Date().toISOString(), {lock: this.writing.lock})
    }
    return {
      dryRun: !this.writing,
      ...this.#count,
      sealed: this.#sealed,
      oddities: this.#oddities,
      oddityCount: this.#oddityCount,
      seconds: (performance.now() - this.#started) / 1000,
    }
  }

  /** @returns the names of added files that others could have deleted while we were listing. */
  async #takeListing(wasComplete: boolean): Promise<Set<string>> {
    const added = new Set<string>()
    let batch = new Map<string, DistFile>()
    const flush = async () => {
      const names = await this.#takeBatch(batch)
      // while the cache was not complete nobody could delete by it what it did not have
      if (wasComplete) for (const name of names) added.add(name)
      batch = new Map()
    }
    for await (const entry of this.parts.storage.list()) {
      if ('reason' in entry) {
        this.#report(entry)
        continue
      }
      if (batch.has(entry.filename)) await flush() // a second object of that name: compared with the row of the first
      batch.set(entry.filename, entry)
      if (batch.size >= filesPerBatch) await flush()
    }
    await flush()
    return added
  }

  /** @returns the names of added files. */
  async #takeBatch(batch: ReadonlyMap<string, DistFile>): Promise<string[]> {
    this.#checkStop()
    const {cache} = this.parts
    const rows = await cache.findFiles([...batch.keys()])
    const changed = new Map<string, {kind: 'added' | 'updated'; file: DistFile}>()
    for (const listed of batch.values()) {
      const row = rows.get(listed.filename)
      this.#seen.add(listed.filename)
      if (row && (await this.#losesTo(row, listed))) continue
      const step = reconcile(row, listed)
      if (step.kind === 'unchanged') this.#count.unchanged += 1
      else changed.set(listed.filename, step)
    }
    const files = Array.from(changed.values(), ({file}) => file)
    const written =
      this.writing && files.length > 0
        ? await cache.save(files, {lock: this.writing.lock, seen: rows})
        : files
    for (const file of written) {
      const {kind} = changed.get(file.filename) ?? {kind: 'updated'}
      this.#count[kind] += 1
      this.options.onChange?.(kind, file)
    }
    const {added, updated, removed} = this.#count
    this.options.onProgress?.({listed: this.#seen.size, changed: added + updated + removed})
    return written
      .filter(({filename}) => changed.get(filename)?.kind === 'added')
      .map(({filename}) => filename)
  }

  /** Of two objects with one file name the newer counts, and of two as new the one whose key is first. */
  async #losesTo(row: DistFile, listed: DistFile): Promise<boolean> {
    const {storage} = this.parts
    if (row.name === listed.name && row.version === listed.version && row.data.path === listed.data.path) {
      return false // the same key
    }
    const [rowKey, key] = [keyOrNone(storage, row), storage.keyOf(listed)]
    if (rowKey === key || rowKey === undefined) return false
    const other = await storage.stat(row).catch(() => undefined)
    if (!other) return false // moved
    const age = publishedAt(other).getTime() - publishedAt(listed).getTime()
    const loses = age > 0 || (age === 0 && rowKey < key)
    const [loser, winner] = loses ? [key, rowKey] : [rowKey, key]
    this.#report({key: loser, reason: `is a second file of the name ${row.filename}: ${winner} counts`})
    return loses
  }

  /** RULES 17: a row goes only after the storage says that its object is gone. */
  async #dropGone(added: ReadonlySet<string>): Promise<void> {
    await this.#refuseEmptyStorage()
    let rows: DistFile[] = []
    const flush = async () => {
      this.#checkStop()
      const gone = await findGone(this.parts.storage, rows, oddity => this.#report(oddity))
      rows = []
      if (gone.length === 0) return
      for (const file of gone) this.options.onChange?.('removed', file)
      const result = await this.#gone?.remove(gone)
      this.#count.removed += result?.removed ?? gone.length
      this.#sealed.push(...(result?.sealed ?? []))
    }
    for await (const row of this.parts.cache.listAllFiles()) {
      if (this.#seen.has(row.filename) && !added.has(row.filename)) continue
      rows.push(row)
      if (rows.length >= filesPerBatch) await flush()
    }
    await flush()
  }

  async #refuseEmptyStorage(): Promise<void> {
    if (this.#seen.size > 0 || this.options.allowEmpty) return
    const {storage, cache} = this.parts
    const rows = await cache.countFiles()
    if (rows <= rowsWorthAsking) return
    throw new StorageFailed(
      `the storage ${storage.store.name} lists no distribution file at all, while the cache has ${rows}: nothing was removed`,
      {hint: 'Check that the storage is mounted and that the config names the right one.'},
    )
  }

  #report(oddity: Oddity): void {
    this.#oddityCount += 1
    if (this.#oddities.length < odditiesKept) this.#oddities.push(oddity)
  }

  #checkStop(): void {
    this.options.signal?.throwIfAborted()
    this.writing?.lock.signal.throwIfAborted()
  }
}

function keyOrNone(storage: PackageStorage, row: DistFile): string | undefined {
  try {
    return storage.keyOf(row)
  } catch {
    return undefined // its name leads out of the store: no object can be its
  }
}
