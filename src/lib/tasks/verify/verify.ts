import pLimit from 'p-limit'
import {completeMark, type Cache} from '../../cache/cache.js'
import {PpcError} from '../../errors.js'
import type {DistFile} from '../../packaging/dist-file.js'
import type {PackageStorage} from '../../storage/package-storage.js'
import {isOddity, ObjectMissing, type Oddity} from '../../storage/storage.js'
import {NameSet} from '../rebuild/names.js'
import {contradiction} from './compare.js'
import {checkDigests} from './digests.js'
import {Doubles} from './doubles.js'
import {Findings, type Finding, type FindingKind} from './findings.js'
import {Repair} from './repair.js'

export interface VerifyParts {
  readonly storage: PackageStorage
  readonly cache: Cache
}
export interface VerifyOptions {
  /** Reads every file and compares digests. Otherwise storage and cache are only compared. */
  readonly digests: boolean
  /** Of these alone (normalised names). */
  readonly projects?: ReadonlySet<string>
  /** Mends what can be mended without losing anything. `owner` is for those who come second. */
  readonly repair?: {readonly owner: string}
  /** Files at once. */
  readonly concurrency?: number
  readonly signal?: AbortSignal
  readonly onFinding?: (finding: Finding) => void
  readonly onProgress?: (files: number) => void
}
export interface VerifyReport {
  readonly files: number
  /** Bytes that were read. */
  readonly bytes: number
  /** Read, but nothing was ever recorded to compare with. */
  readonly withoutDigest: number
  /** Whether a whole rebuild has ever ended on this cache. */
  readonly cacheIsComplete: boolean
  readonly counts: Readonly<Record<FindingKind, number>>
  /** The first thousand. */
  readonly findings: readonly Finding[]
  /** Findings that are left: all, without a repair. */
  readonly open: number
  readonly seconds: number
}

const filesPerBatch = 500

/**
 * Compares the storage with the cache and the files with their digests, while both are in use. Memory: some 20 bytes
 * for each file.
 * @throws {Unavailable} when storage or cache can't be reached. @throws {LockHeld} when a repair meets a rebuild.
 */
export function verifyIndex(parts: VerifyParts, options: VerifyOptions): Promise<VerifyReport> {
  return new Verification(parts, options).run()
}

class Verification {
  readonly #started = performance.now()
  readonly #findings: Findings
  readonly #repair: Repair | undefined
  readonly #names = new Doubles()
  readonly #leftovers = new Set<string>()
  /** Keys. */
  readonly #unreadable = new NameSet()
  readonly #limit
  #bytes = 0
  #withoutDigest = 0

  constructor(
    private readonly parts: VerifyParts,
    private readonly options: VerifyOptions,
  ) {
    this.#findings = new Findings(options.onFinding)
    this.#repair = options.repair && new Repair(parts, options.repair.owner)
    const {layout} = parts.storage.store
    this.#limit = pLimit(options.concurrency ?? (layout === 'tree' ? 8 : 32)) // each waits for a disk or for an answer
  }

  async run(): Promise<VerifyReport> {
    const {cache} = this.parts
    await this.#takeLeftovers()
    await this.#takeListing()
    await this.#takeDoubles()
    await this.#takeMissing()
    await this.#repair?.finish(this.options.signal)
    return {
      files: this.#names.size,
      bytes: this.#bytes,
      withoutDigest: this.#withoutDigest,
      cacheIsComplete: (await cache.getState(completeMark)) !== undefined,
      counts: this.#findings.counts,
      findings: this.#findings.first,
      open: this.#findings.open,
      seconds: (performance.now() - this.#started) / 1000,
    }
  }

  async #takeListing(): Promise<void> {
    let batch: DistFile[] = []
    for await (const entry of this.parts.storage.list()) {
      if (isOddity(entry)) {
        this.#takeOddity(entry)
      } else if (this.#concerns(entry)) batch.push(entry)
      if (batch.length < filesPerBatch) continue
      await this.#takeBatch(batch)
      batch = []
    }
    await this.#takeBatch(batch)
  }

  #takeOddity({key, reason, unreadable}: Oddity): void {
    if (this.options.projects || this.#leftovers.has(key)) return
    if (unreadable) this.#unreadable.add(key)
    this.#findings.add({kind: unreadable ? 'unreadable' : 'stray', key, reason})
  }

  async #takeBatch(batch: readonly DistFile[]): Promise<void> {
    this.options.signal?.throwIfAborted()
    const rows = await this.parts.cache.findFiles(batch.map(({filename}) => filename))
    await Promise.all(
      batch.map(file => {
        const row = rows.get(file.filename)
        const key = row && this.parts.storage.keyOrNone(row)
        const isFirst = this.#names.isFirst(file.filename, key)
        return this.#limit(async () => {
          this.options.signal?.throwIfAborted()
          if (await this.#isMoved(file)) return
          if (!(await this.#counts(file, row, {isFirst, key}))) return
          await this.#compare(file, row)
          if (this.options.digests) await this.#check(file, row)
        })
      }),
    )
    this.options.onProgress?.(this.#names.size)
  }

  /** Of several objects of one name the one whose key the row has does; the others are told at the end. */
  async #counts(
    file: DistFile,
    row: DistFile | undefined,
    {isFirst, key}: {readonly isFirst: boolean; readonly key: string | undefined},
  ): Promise<boolean> {
    const {storage} = this.parts
    if (row === undefined || key === undefined) return isFirst
    if (key === storage.keyOf(file)) return true
    const isListed = key.startsWith(storage.store.keyPrefix ?? '')
    return isFirst && (!isListed || (await this.#isGone(row)))
  }

  async #takeDoubles(): Promise<void> {
    for await (const {winner, losers} of this.#names.find(this.parts.storage)) {
      for (const key of losers) {
        this.#findings.add({kind: 'doubled', key, reason: `has the same file name as ${winner}`})
      }
    }
  }

  /** Reports what lies in a directory of another spelling. @returns whether it was moved. */
  async #isMoved(file: DistFile): Promise<boolean> {
    const {storage} = this.parts
    const key = storage.keyOf(file)
    if (storage.store.layout !== 'tree' || key === storage.usualKeyOf(file)) return false
    const reason = `lies where pypicloud does not look: its place is ${storage.usualKeyOf(file)}`
    return this.#report({kind: 'misplaced', key, reason}, () => this.#repair?.move(file))
  }

  async #compare(file: DistFile, row: DistFile | undefined): Promise<void> {
    const key = this.parts.storage.keyOf(file)
    if (!difference(file, row)) return
    // somebody may have published, replaced or deleted the file since it was listed
    const now = await this.#now(file)
    const found = now && difference(now.listed, now.row)
    if (!found) return
    await this.#report({...found, key}, () =>
      now.row ? this.#repair?.update(now.row, now.listed) : this.#repair?.list(),
    )
  }

  async #now(file: DistFile): Promise<{listed: DistFile; row: DistFile | undefined} | undefined> {
    try {
      const listed = await this.parts.storage.stat(file)
      return {listed, row: await this.parts.cache.findFile(file.filename)}
    } catch (error) {
      if (error instanceof ObjectMissing) return undefined
      throw error
    }
  }

  async #check(file: DistFile, row: DistFile | undefined): Promise<void> {
    const {damage, failure, size, unknown} = await checkDigests(this.parts.storage, file, row)
    this.#bytes += size
    if (unknown) this.#withoutDigest += 1
    const key = this.parts.storage.keyOf(file)
    if (damage !== undefined) this.#findings.add({kind: 'damaged', key, reason: damage})
    if (failure !== undefined) this.#findings.add({kind: 'unreadable', key, reason: failure})
  }

  async #takeMissing(): Promise<void> {
    const {storage, cache} = this.parts
    let rows: DistFile[] = []
    const flush = async () => {
      this.options.signal?.throwIfAborted()
      const gone = await Promise.all(rows.map(row => this.#limit(() => this.#isGone(row))))
      const missing = rows.filter((_, index) => gone[index])
      rows = []
      for (const row of missing) {
        if ((await cache.findFile(row.filename)) === undefined) continue // deleted meanwhile
        const reason = 'is in the cache and not in the storage'
        await this.#report({kind: 'missing', key: storage.keyOf(row), reason}, () => this.#repair?.list())
      }
    }
    for await (const row of cache.listAllFiles()) {
      if (this.#names.has(row.filename) || !this.#concerns(row)) continue
      rows.push(row)
      if (rows.length >= filesPerBatch) await flush()
    }
    await flush()
  }

  /** What can't be asked about now is told, unless the listing has told it. */
  async #isGone(row: DistFile): Promise<boolean> {
    const {storage} = this.parts
    try {
      await storage.stat(row)
      return false
    } catch (error) {
      if (error instanceof ObjectMissing) return true
      if (!(error instanceof PpcError)) throw error
      const key = storage.keyOrNone(row) ?? row.filename
      if (!this.#unreadable.has(key)) this.#findings.add({kind: 'unreadable', key, reason: error.message})
      return false
    }
  }

  async #takeLeftovers(): Promise<void> {
    if (this.options.projects) return
    for await (const leftover of this.parts.storage.store.leftovers?.() ?? []) {
      this.#leftovers.add(leftover.key)
      const reason = `was left by an upload that broke off at ${leftover.modified.toISOString()}`
      await this.#report({kind: 'leftover', key: leftover.key, reason}, () => this.#repair?.clear(leftover))
    }
  }

  /** @returns whether it is mended. */
  async #report(finding: Finding, mend: () => Promise<boolean> | boolean | undefined): Promise<boolean> {
    const repaired = (await mend()) ?? false
    this.#findings.add(repaired ? {...finding, repaired} : finding)
    return repaired
  }

  #concerns({name}: DistFile): boolean {
    return this.options.projects?.has(name) ?? true
  }
}

function difference(listed: DistFile, row: DistFile | undefined): Omit<Finding, 'key'> | undefined {
  if (!row) return {kind: 'unlisted', reason: 'is not in the cache'}
  const reason = contradiction(row, listed)
  return reason === undefined ? undefined : {kind: 'outdated', reason}
}
