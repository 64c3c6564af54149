import pLimit from 'p-limit'
import {completeMark, type Cache} from '../../cache/cache.js'
import type {DistFile} from '../../packaging/dist-file.js'
import type {PackageStorage} from '../../storage/package-storage.js'
import {isOddity, ObjectMissing} from '../../storage/storage.js'
import {findGone} from '../rebuild/gone.js'
import {contradiction} from './compare.js'
import {checkDigests} from './digests.js'
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
 * Compares the storage with the cache and the files with their digests, while both are in use. Memory: the names of all
 * files.
 * @throws {Unavailable} when storage or cache can't be reached. @throws {LockHeld} when a repair meets a rebuild.
 */
export function verifyIndex(parts: VerifyParts, options: VerifyOptions): Promise<VerifyReport> {
  return new Verification(parts, options).run()
}

class Verification {
  readonly #started = performance.now()
  readonly #findings: Findings
  readonly #repair: Repair | undefined
  /** Key by file name. */
  readonly #seen = new Map<string, string>()
  readonly #leftovers = new Set<string>()
  readonly #limit
  #bytes = 0
  #withoutDigest = 0

  constructor(
    private readonly parts: VerifyParts,
    private readonly options: VerifyOptions,
  ) {
    this.#findings = new Findings(options.onFinding)
    this.#repair = options.repair && new Repair(parts, options.repair.owner)
    this.#limit = pLimit(options.concurrency ?? 8)
  }

  async run(): Promise<VerifyReport> {
    const {cache} = this.parts
    await this.#takeLeftovers()
    await this.#takeListing()
    await this.#takeMissing()
    await this.#repair?.finish(this.options.signal)
    return {
      files: this.#seen.size,
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
        const {key, reason} = entry
        if (!this.options.projects && !this.#leftovers.has(key))
          this.#findings.add({kind: 'stray', key, reason})
      } else if (this.#concerns(entry)) batch.push(entry)
      if (batch.length < filesPerBatch) continue
      await this.#takeBatch(batch)
      batch = []
    }
    await this.#takeBatch(batch)
  }

  async #takeBatch(batch: readonly DistFile[]): Promise<void> {
    this.options.signal?.throwIfAborted()
    const rows = await this.parts.cache.findFiles(batch.map(({filename}) => filename))
    const counting = batch.filter(file => this.#isFirst(file, rows.get(file.filename)))
    await Promise.all(
      counting.map(file =>
        this.#limit(async () => {
          this.options.signal?.throwIfAborted()
          const row = rows.get(file.filename)
          await this.#compare(file, row)
          if (this.options.digests) await this.#check(file, row)
        }),
      ),
    )
    this.options.onProgress?.(this.#seen.size)
  }

  /** Of several objects with one file name, which all but one are doubled. */
  #isFirst(file: DistFile, row: DistFile | undefined): boolean {
    const key = this.parts.storage.keyOf(file)
    const other = this.#seen.get(file.filename)
    if (other === undefined) {
      this.#seen.set(file.filename, key)
      return true
    }
    const listed = row && this.parts.storage.keyOf(row)
    const [loser, winner] = listed === key ? [other, key] : [key, other]
    this.#findings.add({kind: 'doubled', key: loser, reason: `has the same file name as ${winner}`})
    return false
  }

  async #compare(file: DistFile, row: DistFile | undefined): Promise<void> {
    const {storage} = this.parts
    const key = storage.keyOf(file)
    if (storage.store.layout === 'tree' && key !== storage.usualKeyOf(file)) {
      const reason = `lies where pypicloud does not look: its place is ${storage.usualKeyOf(file)}`
      await this.#report({kind: 'misplaced', key, reason}, () => this.#repair?.move(file))
    }
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
    const {damage, size, unknown} = await checkDigests(this.parts.storage, file, row)
    this.#bytes += size
    if (unknown) this.#withoutDigest += 1
    if (damage !== undefined) {
      this.#findings.add({kind: 'damaged', key: this.parts.storage.keyOf(file), reason: damage})
    }
  }

  async #takeMissing(): Promise<void> {
    const {storage, cache} = this.parts
    let rows: DistFile[] = []
    const flush = async () => {
      this.options.signal?.throwIfAborted()
      const gone = await findGone(storage, rows, ({key, reason}) =>
        this.#findings.add({kind: 'stray', key, reason}),
      )
      rows = []
      for (const row of gone) {
        if ((await cache.findFile(row.filename)) === undefined) continue // deleted meanwhile
        const reason = 'is in the cache and not in the storage'
        await this.#report({kind: 'missing', key: storage.keyOf(row), reason}, () => this.#repair?.list())
      }
    }
    for await (const row of cache.listAllFiles()) {
      if (this.#seen.has(row.filename) || !this.#concerns(row)) continue
      rows.push(row)
      if (rows.length >= filesPerBatch) await flush()
    }
    await flush()
  }

  async #takeLeftovers(): Promise<void> {
    if (this.options.projects) return
    for await (const leftover of this.parts.storage.store.leftovers?.() ?? []) {
      this.#leftovers.add(leftover.key)
      const reason = `was left by an upload that broke off at ${leftover.modified.toISOString()}`
      await this.#report({kind: 'leftover', key: leftover.key, reason}, () => this.#repair?.clear(leftover))
    }
  }

  async #report(finding: Finding, mend: () => Promise<boolean> | boolean | undefined): Promise<void> {
    const repaired = (await mend()) ?? false
    this.#findings.add(repaired ? {...finding, repaired} : finding)
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
