import {PpcError, UsageError} from '../errors.js'
import type {DistFile, DistFileData} from '../packaging/dist-file.js'
import {normalizeName} from '../packaging/names.js'
import {PackageStorage} from '../storage/package-storage.js'
import {isOddity, type Layout, type ObjectStore, type Oddity} from '../storage/storage.js'
import {copyFile, type Ends} from './migrate-copy.js'
import {mergeNotes} from './migrate-notes.js'
import {forEachAtOnce} from './migrate-pool.js'

export interface MigrateOptions {
  /** Says what would be copied, and changes nothing. */
  readonly dryRun?: boolean
  /** Files at once. */
  readonly concurrency?: number
  readonly signal?: AbortSignal
  /** After each file. */
  readonly onProgress?: (progress: MigrateProgress) => void
}

export interface MigrateProgress {
  readonly filename: string
  readonly outcome: 'copied' | 'skipped' | 'failed'
  /** So far. */
  readonly report: MigrateReport
}

export interface MigrateReport {
  /** With a dry run: what would be copied. */
  readonly copied: number
  /** The target had them, with the same bytes. */
  readonly skipped: number
  /** Copied, in bytes. */
  readonly bytes: number
  readonly failed: readonly MigrateFailure[]
  /** In the source: what is no distribution file stays where it is. */
  readonly oddities: readonly Oddity[]
}

export interface MigrateFailure {
  readonly filename: string
  /** One sentence. */
  readonly reason: string
}

/**
 * Copies every distribution file with its metadata and time, and the notes. Nothing in the target is overwritten or
 * removed, nothing in the source changes. A file that fails is reported and the others go on. Stopped at any moment,
 * the next run copies only what is missing.
 * @throws {UsageError} when source and target are the same place, or one lies in the other.
 * @throws when the source can't be listed, or `signal` says so.
 */
export async function migrateFiles(
  from: ObjectStore,
  to: ObjectStore,
  options: MigrateOptions = {},
): Promise<MigrateReport> {
  const {dryRun = false, concurrency = 16, signal, onProgress} = options
  await refuseOverlap(from, to)
  const ends: Ends = {source: new PackageStorage(from), target: new PackageStorage(to)}
  const report = {copied: 0, skipped: 0, bytes: 0, failed: [] as MigrateFailure[], oddities: [] as Oddity[]}
  const elsewhere = await unusualPlaces(ends.target, signal)
  const copy = async (entry: DistFile | Oddity) => {
    if (isOddity(entry)) {
      report.oddities.push(entry)
      return
    }
    const {filename} = entry
    let outcome: MigrateProgress['outcome']
    try {
      const place = placeInTarget(entry, to.layout, elsewhere)
      outcome = await copyFile(ends, entry, place, {dryRun, ...(signal && {signal})})
      report[outcome] += 1
      if (outcome === 'copied') report.bytes += entry.data.size ?? 0
    } catch (error) {
      signal?.throwIfAborted()
      report.failed.push({filename, reason: reasonOf(error)})
      outcome = 'failed'
    }
    onProgress?.({filename, outcome, report})
  }
  await forEachAtOnce(ends.source.list(), concurrency, copy, signal)
  if (!dryRun) await mergeNotes(from, to)
  report.failed.sort((a, b) => (a.filename < b.filename ? -1 : 1))
  return report
}

async function refuseOverlap(from: ObjectStore, to: ObjectStore): Promise<void> {
  if (!((await from.overlaps?.(to)) ?? (await to.overlaps?.(from)) ?? false)) return
  throw new UsageError(`${from.name} and ${to.name} are the same place, or one lies in the other`)
}

/**
 * Objects of the target under other keys than it would compute today (`Foo_Bar/1.0/…`, an older hash prefix): a copy
 * under the usual key would give it the same file twice. Keys alone tell: no metadata is asked for.
 */
async function unusualPlaces(
  target: PackageStorage,
  signal: AbortSignal | undefined,
): Promise<Map<string, string>> {
  const {store} = target
  const places = new Map<string, string>()
  for await (const entry of store.list('')) {
    signal?.throwIfAborted()
    if (isOddity(entry)) continue
    const {key} = entry
    const parts = target.parseKey(key) ?? {name: '', filename: key.slice(key.lastIndexOf('/') + 1)}
    const file = {name: normalizeName(parts.name), version: parts.version ?? '', filename: parts.filename}
    if (key !== usualKey(target, file)) places.set(identity(store.layout, file), key)
  }
  return places
}

const usualKey = (target: PackageStorage, file: Coordinates): string | undefined => {
  try {
    return target.usualKeyOf(file)
  } catch {
    return undefined
  }
}

type Coordinates = Pick<DistFile, 'name' | 'version' | 'filename'>

/** File names are unique in an index; a tree can hold one in several places all the same. */
const identity = (layout: Layout, file: Coordinates): string =>
  layout === 'tree' ? `${file.name}/${file.version}/${file.filename}` : file.filename

/** The file without the source's key, which means nothing in the target. */
function placeInTarget(file: DistFile, layout: Layout, elsewhere: ReadonlyMap<string, string>): DistFile {
  const data: DistFileData = Object.fromEntries(Object.entries(file.data).filter(([key]) => key !== 'path'))
  const place = elsewhere.get(identity(layout, file))
  return {...file, data: place === undefined ? data : {...data, path: place}}
}

function reasonOf(error: unknown): string {
  if (error instanceof PpcError) return error.message
  return error instanceof Error ? error.message : String(error)
}
