import pLimit from 'p-limit'
import type {Cache, Lock} from '../../cache/cache.js'
import {PpcError, StorageFailed} from '../../errors.js'
import type {Notes} from '../../index/notes.js'
import {isUploaded, type DistFile} from '../../packaging/dist-file.js'
import type {PackageStorage} from '../../storage/package-storage.js'
import {ObjectMissing, type Oddity} from '../../storage/storage.js'

const statsAtOnce = 32

export interface GoneParts {
  readonly storage: PackageStorage
  readonly cache: Cache
  readonly notes: Notes
  readonly lock: Lock
}

/** Those of `rows` whose object the storage says is gone. What can't be asked stays, and is reported. */
export async function findGone(
  storage: PackageStorage,
  rows: readonly DistFile[],
  report: (oddity: Oddity) => void,
): Promise<DistFile[]> {
  const limit = pLimit(statsAtOnce)
  const checked = await Promise.all(
    rows.map(row =>
      limit(async () => {
        try {
          await storage.stat(row)
          return []
        } catch (error) {
          if (error instanceof ObjectMissing) return [row]
          if (!(error instanceof PpcError) || error instanceof StorageFailed) throw error
          report({key: row.filename, reason: `stays in the cache: ${error.message}`})
          return []
        }
      }),
    ),
  )
  return checked.flat()
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
    const sealing: string[] = []
    for (const project of new Set(gone.map(({name}) => name))) {
      if (this.#uploaded.has(project) && (await this.#isLast(project, gone))) sealing.push(project)
    }
    if (sealing.length > 0) await notes.seal(sealing)
    const {removed, emptied} = await cache.remove(gone, {lock, ifUnchanged: true})
    const sealed = sealing.filter(project => emptied.includes(project))
    for (const project of sealing) if (!emptied.includes(project)) await notes.unseal(project) // published meanwhile
    return {removed: removed.length, sealed}
  }

  async #isLast(project: string, gone: readonly DistFile[]): Promise<boolean> {
    const names = new Set(gone.map(({filename}) => filename))
    return (await this.parts.cache.listFiles(project)).every(({filename}) => names.has(filename))
  }
}
