import {setTimeout as sleep} from 'node:timers/promises'
import pLimit from 'p-limit'
import {completeMark, fillingMark, type Cache, type Lock} from '../../cache/cache.js'
import {LockHeld, StorageFailed} from '../../errors.js'
import {KnownCaches} from '../../index/known-caches.js'
import {Notes} from '../../index/notes.js'
import {Wholeness} from '../../index/wholeness.js'
import type {DistFile} from '../../packaging/dist-file.js'
import type {Oddity} from '../../storage/storage.js'
import {losesTo} from './doubles.js'
import {findGone, GoneRows, rowsBut, rowsOf, type GoneParts} from './gone.js'
import {StorageListing, type ListedBatch} from './listing.js'
import {reconcile} from './merge.js'
import {NameSet} from './names.js'
import {
  lockExpiresAfterSeconds,
  type RebuildOptions,
  type RebuildParts,
  type RebuildReport,
} from './options.js'
import {PublishedRun, readRun, type RunState} from './state.js'

export type {RebuildOptions, RebuildParts, RebuildProgress, RebuildReport} from './options.js'

const filesPerBatch = 1000
const questionsAtOnce = 32
/** Of those that nobody has to be asked about. */
const rowsPerTelling = 100
const odditiesKept = 1000
/** An empty storage with more rows than this is rather a disk that is not mounted. */
const rowsWorthAsking = 10

/**
 * Brings the cache in step with the storage while both are in use: the index is never empty, what others publish or
 * delete meanwhile stays published or deleted, and a run that is killed is healed by the next. Memory: a few batches, and
 * some 20 bytes a file.
 * @throws {LockHeld} while another run is at it. @throws {LockLost} {StorageFailed} {Unavailable}
 */
export async function rebuildCache(parts: RebuildParts, options: RebuildOptions): Promise<RebuildReport> {
  if (options.dryRun) return new Rebuild(parts, options).run()
  const {finished} = await startRebuild(parts, options)
  return finished
}

/**
 * Takes the lock, and leaves the work to `finished`, which whoever calls has to await at some time. What is told of the run
 * can be read by every process: see `readRun`.
 * @throws {LockHeld} naming who runs.
 */
export async function startRebuild(
  parts: RebuildParts,
  options: RebuildOptions,
): Promise<{started: RunState; finished: Promise<RebuildReport>}> {
  const lock = await takeLock(parts.cache, options)
  const notes = new Notes(parts.storage.store)
  const published = new PublishedRun(parts.cache, lock, options)
  try {
    // first: to who looks for words of ours, those of this run would be some
    if (parts.cache.remembers) await new Wholeness(parts.cache, new KnownCaches(notes, parts.cache)).begin()
    await published.begin() // whoever asks from now on hears of this run
  } catch (error) {
    await Promise.resolve(lock[Symbol.asyncDispose]()).catch(() => undefined) // the first failure is the one to report
    throw error
  }
  const work = async () => {
    await using held = lock
    const run = new Rebuild(
      parts,
      {
        ...options,
        onProgress: progress => {
          const told = published.update(progress)
          options.onProgress?.(told)
        },
      },
      {...parts, lock: held, notes},
    )
    return await published.follow(() => run.run())
  }
  const finished = work()
  finished.catch(() => undefined) // whoever awaits it gets the failure
  return {started: published.state, finished}
}

/** A run that tells it has ended gives its lock back in the next moment. */
async function takeLock(
  cache: Cache,
  {owner, expireAfterSeconds = lockExpiresAfterSeconds}: RebuildOptions,
): Promise<Lock> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await cache.acquireLock('rebuild', {owner, expireAfterSeconds})
    } catch (error) {
      if (!(error instanceof LockHeld) || attempt === 40) throw error
      if (((await readRun(cache))?.state ?? 'running') === 'running') throw error
      await sleep(25)
    }
  }
}

class Rebuild {
  readonly #started = performance.now()
  readonly #count = {added: 0, updated: 0, removed: 0, unchanged: 0, unread: 0}
  readonly #sealed: string[] = []
  readonly #unreadable: Oddity[] = []
  readonly #oddities: Oddity[] = []
  #oddityCount = 0
  #listed = 0
  #checked = 0
  /** File names that have an object. */
  readonly #seen = new NameSet()
  /** Those of them that we have added. */
  readonly #added = new NameSet()
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
    // what is not about these rows any more must not become true again as they fill
    if (this.writing && !wasComplete) await this.#mark(completeMark, undefined)
    const wasEmpty = !wasComplete && (await cache.countFiles()) === 0
    if (wasEmpty && this.writing) {
      // also when only some projects are listed: then a whole run takes it back
      await cache.setState(fillingMark, new Date().toISOString(), {lock: this.writing.lock})
    }
    await this.#takeListing()
    await this.#dropGone(!(wasEmpty && (await this.#wasAlone())))
    if (this.#count.unread === 0) await this.#mark(completeMark, new Date().toISOString())
    if (!wasComplete) await this.#mark(fillingMark, undefined)
    return {
      mode: this.options.full ? 'full' : 'incremental',
      dryRun: !this.writing,
      ...this.#count,
      complete: (await cache.getState(completeMark)) !== undefined,
      sealed: this.#sealed,
      oddities: [...this.#unreadable, ...this.#oddities].slice(0, odditiesKept),
      oddityCount: this.#oddityCount,
      seconds: (performance.now() - this.#started) / 1000,
    }
  }

  async #mark(key: string, value: string | undefined): Promise<void> {
    this.#checkStop()
    if (!this.writing || this.options.projects) return
    await this.parts.cache.setState(key, value, {lock: this.writing.lock})
  }

  /** Whether every row of a cache that was empty is ours: then nobody can have deleted what we have added. */
  async #wasAlone(): Promise<boolean> {
    const {updated, unchanged} = this.#count
    return updated + unchanged === 0 && (await this.parts.cache.countFiles()) === this.#added.size
  }

  async #takeListing(): Promise<void> {
    const listing = new StorageListing(
      this.parts,
      this.options,
      oddity => this.#report(oddity),
      objects => {
        this.#listed += objects
        this.#tellProgress()
      },
    )
    for await (const batch of listing.batches()) {
      this.#checkStop()
      await this.#takeBatch(batch)
      this.#tellProgress()
    }
    this.#listed = this.#seen.size
    this.#tellProgress()
  }

  #tellProgress(): void {
    const {added, updated, removed} = this.#count
    this.options.onProgress?.({
      listed: this.#listed,
      changed: added + updated + removed,
      checked: this.#checked,
    })
  }

  async #takeBatch({rows, known, files, unread}: ListedBatch): Promise<void> {
    for (const filename of known) this.#seen.add(filename)
    for (const filename of unread) this.#seen.add(filename)
    this.#count.unchanged += known.length
    const changed = new Map<string, {kind: 'added' | 'updated'; file: DistFile}>()
    const losing = await this.#losing(rows, files)
    for (const listed of files) {
      this.#seen.add(listed.filename)
      if (losing.has(listed)) continue
      const step = reconcile(rows.get(listed.filename), listed, this.options.full)
      if (step.kind === 'unchanged') this.#count.unchanged += 1
      else changed.set(listed.filename, step)
    }
    const steps = Array.from(changed.values(), ({file}) => file)
    const written =
      this.writing && steps.length > 0
        ? await this.parts.cache.save(steps, {lock: this.writing.lock, seen: rows})
        : steps
    for (const file of written) {
      const {kind} = changed.get(file.filename) ?? {kind: 'updated'}
      this.#count[kind] += 1
      if (kind === 'added') this.#added.add(file.filename)
      this.options.onChange?.(kind, file)
    }
  }

  /** Those of `files` that don't count, since the row is about another object. Where everything was moved, each is asked about. */
  async #losing(rows: ListedBatch['rows'], files: ListedBatch['files']): Promise<Set<DistFile>> {
    const limit = pLimit(questionsAtOnce)
    const report = (oddity: Oddity) => this.#report(oddity)
    const losing = new Set<DistFile>()
    const ask = async (row: DistFile, file: DistFile) => {
      if (await losesTo(this.parts.storage, row, file, report)) losing.add(file)
    }
    try {
      await Promise.all(
        files.flatMap(file => {
          const row = rows.get(file.filename)
          return row ? [limit(ask, row, file)] : []
        }),
      )
    } finally {
      limit.clearQueue()
    }
    return losing
  }

  /**
   * RULES 17: a row goes only after the storage says that its object is gone.
   * @param checkAdded whether others could have deleted, since they were listed, files that we have added.
   */
  async #dropGone(checkAdded: boolean): Promise<void> {
    await this.#refuseEmptyStorage()
    let rows: DistFile[] = []
    const flush = async () => {
      this.#checkStop()
      const gone = await findGone(
        this.parts.storage,
        rows,
        oddity => this.#report(oddity),
        () => {
          this.#checked += 1
          this.#tellProgress()
        },
      )
      rows = []
      if (gone.length === 0) return
      for (const file of gone) this.options.onChange?.('removed', file)
      const result = await this.#gone?.remove(gone)
      this.#count.removed += result?.removed ?? gone.length
      this.#sealed.push(...(result?.sealed ?? []))
      this.#tellProgress()
    }
    const isSettled = (filename: string): boolean => {
      const isListed = this.#seen.has(filename) && !(checkAdded && this.#added.has(filename))
      if (isListed && ++this.#checked % rowsPerTelling === 0) this.#tellProgress()
      return isListed
    }
    for await (const row of rowsBut(isSettled, this.parts.cache, this.options.projects)) {
      rows.push(row)
      if (rows.length >= filesPerBatch) await flush()
    }
    await flush()
    this.#tellProgress()
  }

  async #refuseEmptyStorage(): Promise<void> {
    if (this.#seen.size > 0 || this.options.allowEmpty) return
    const {storage, cache} = this.parts
    const {projects} = this.options
    const rows = projects ? await count(rowsOf(cache, projects)) : await cache.countFiles()
    if (rows <= rowsWorthAsking) return
    const what = `no distribution file ${projects ? 'of these projects' : 'at all'}`
    throw new StorageFailed(
      `the storage ${storage.store.name} lists ${what}, while the cache has ${rows}: nothing was removed`,
      {hint: 'Check that the storage is mounted and that the config names the right one.'},
    )
  }

  #report(oddity: Oddity): void {
    this.#oddityCount += 1
    if (oddity.unreadable) this.#count.unread += 1
    const kept = oddity.unreadable ? this.#unreadable : this.#oddities
    if (kept.length < odditiesKept) kept.push(oddity)
  }

  #checkStop(): void {
    this.options.signal?.throwIfAborted()
    this.writing?.lock.signal.throwIfAborted()
  }
}

async function count(entries: AsyncIterable<unknown>): Promise<number> {
  let found = 0
  const iterator = entries[Symbol.asyncIterator]()
  while (!(await iterator.next()).done) found += 1
  return found
}
