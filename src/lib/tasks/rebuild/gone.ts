import pLimit from 'p-limit'
import type {Cache, Lock} from '../../cache/cache.js'
import {InvalidInput, StorageFailed} from '../../errors.js'
import type {Notes} from '../../index/notes.js'
import {isUploaded, type DistFile} from '../../packaging/dist-file.js'
import type {PackageStorage} from '../../storage/package-storage.js'
import {ObjectMissing, type Oddity} from '../../storage/storage.js'

const statsAtOnce = 32
const namesAtOnce = 1000

export interface GoneParts {
  readonly storage: PackageStorage
  readonly cache: Cache
  readonly notes: Notes
  readonly lock: Lock
}

/** All rows, or those of some projects. */
export async function* rowsOf(
  cache: Cache,
  projects: Iterable<string> | undefined,
): AsyncGenerator<DistFile> {
  if (!projects) yield* cache.listAllFiles()
  else for (const project of projects) yield* await cache.listFiles(project)
}

/** As `rowsOf`, without those of file names that are settled. Where a cache can tell names alone, only the rest is read. */
export async function* rowsBut(
  isSettled: (filename: string) => boolean,
  cache: Cache,
  projects: Iterable<string> | undefined,
): AsyncGenerator<DistFile> {
  if (projects || !cache.listFilenames) {
    for await (const row of rowsOf(cache, projects)) if (!isSettled(row.filename)) yield row
    return
  }
  let names: string[] = []
  for await (const filename of cache.listFilenames()) {
    if (isSettled(filename)) continue
    names.push(filename)
    if (names.length < namesAtOnce) continue
    yield* (await cache.findFiles(names)).values()
    names = []
  }
  yield* (await cache.findFiles(names)).values()
}

/**
 * Those of `rows` whose object the storage says is gone. What may not be looked at stays, and is reported.
 * @param onAsked is called for each of them. @throws {Unavailable} when the storage can't be asked now.
 */
export async function findGone(
  storage: PackageStorage,
  rows: readonly DistFile[],
  report: (oddity: Oddity) => void,
  onAsked: () => void,
): Promise<DistFile[]> {
  const limit = pLimit(statsAtOnce)
  const ask = async (row: DistFile): Promise<DistFile[]> => {
    try {
      await storage.stat(row)
      return []
    } catch (error) {
      if (error instanceof ObjectMissing) return [row]
      report(whyItStays(storage, row, error))
      return []
    } finally {
      onAsked()
    }
  }
  try {
    return (await Promise.all(rows.map(row => limit(ask, row)))).flat()
  } finally {
    limit.clearQueue()
  }
}

/** @throws `error` where it is about the whole storage. */
function whyItStays(storage: PackageStorage, row: DistFile, error: unknown): Oddity {
  if (error instanceof InvalidInput) {
    return {key: row.filename, reason: `stays in the cache: ${error.message}`}
  }
  if (!(error instanceof StorageFailed)) throw error
  return {key: storage.keyOf(row), reason: error.message, unreadable: true}
}

/**
 * Removes rows of files that are gone, and seals the names that lose their last file. The seal comes first: a run that
 * is killed in between leaves a sealed name with files, which harms nobody, never an open one without.
 */
export class GoneRows {
  /** Projects of which this run removed an uploaded file, in this batch or an earlier one. */
  readonly #uploaded = new Set<string>()

  constructor(private readonly parts: GoneParts) {}

  async remove(gone: readonly DistFile[]): Promise<{removed: number; sealed: string[]}> {
    const {cache, notes, lock} = this.parts
    for (const file of gone) if (isUploaded(file)) this.#uploaded.add(file.name)
    const sealing = await this.#emptied(gone)
    if (sealing.length > 0) await notes.seal(sealing)
    const {removed, emptied} = await cache.remove(gone, {lock, ifUnchanged: true})
    const sealed = sealing.filter(project => emptied.includes(project))
    for (const project of sealing) if (!emptied.includes(project)) await notes.unseal(project) // published meanwhile
    return {removed: removed.length, sealed}
  }

  /** Names that have no file beside those that are `gone`. */
  async #emptied(gone: readonly DistFile[]): Promise<string[]> {
    const names = new Set(gone.map(({filename}) => filename))
    const projects = [...new Set(gone.map(({name}) => name))].filter(name => this.#uploaded.has(name))
    const limit = pLimit(statsAtOnce)
    const emptied = await Promise.all(
      projects.map(project =>
        limit(async () => {
          const files = await this.parts.cache.listFiles(project)
          return files.every(({filename}) => names.has(filename)) ? [project] : []
        }),
      ),
    )
    return emptied.flat()
  }
}
