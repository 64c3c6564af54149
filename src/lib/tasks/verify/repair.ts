import {Readable} from 'node:stream'
import type {Cache} from '../../cache/cache.js'
import {PpcError} from '../../errors.js'
import type {DistFile, DistFileData} from '../../packaging/dist-file.js'
import {hashStream} from '../../packaging/hashes.js'
import type {PackageStorage} from '../../storage/package-storage.js'
import {ObjectExists, type Leftover} from '../../storage/storage.js'
import {replaced} from '../rebuild/merge.js'
import {rebuildCache} from '../rebuild/rebuild.js'

const dayMs = 24 * 3_600_000

/** What can be mended without losing anything. Nothing is overwritten, and no bytes go that are not elsewhere too. */
export class Repair {
  #mustRebuild = false

  constructor(
    private readonly parts: {readonly storage: PackageStorage; readonly cache: Cache},
    private readonly owner: string,
  ) {}

  /** What is listed or unlisted is so at the end, by one rebuild. */
  list(): boolean {
    this.#mustRebuild = true
    return true
  }

  /** @returns whether the row says now what the storage says: false when somebody else wrote it meanwhile. */
  async update(row: DistFile, listed: DistFile): Promise<boolean> {
    const seen = new Map([[row.filename, row]])
    const written = await this.parts.cache.save([replaced(row, listed)], {seen})
    return written.length > 0
  }

  /** An upload that still runs is younger. @returns whether it is gone. */
  async clear(leftover: Leftover): Promise<boolean> {
    if (Date.now() - leftover.modified.getTime() < dayMs) return false
    await leftover.remove()
    return true
  }

  /**
   * Moves a file to its usual key: copied, read again, listed, and only then removed from where it was. Where something
   * else is at the usual key, or a link to the file, both stay; where the same bytes are, the misplaced ones go.
   * @returns whether it is in its place now.
   */
  async move(file: DistFile): Promise<boolean> {
    const {storage, cache} = this.parts
    const data: DistFileData = Object.fromEntries(Object.entries(file.data).filter(([key]) => key !== 'path'))
    const place: DistFile = {...file, data}
    const body = {size: data.size ?? 0, open: () => Readable.from(read(storage, file), {objectMode: false})}
    try {
      await storage.put(place, body, {replace: false, modified: file.lastModified})
    } catch (error) {
      if (!(error instanceof PpcError)) throw error
      if (!(error instanceof ObjectExists)) return false
    }
    const [from, to] = [storage.keyOf(file), storage.keyOf(place)]
    if (await storage.store.isOneWith?.(from, storage.store, to)) return false
    const [before, now] = await Promise.all(
      [file, place].map(async one => (await hashStream(await storage.open(one))).sha256),
    )
    if (before !== now) return false
    const row = await cache.findFile(file.filename)
    const moved = await storage.stat(place)
    await cache.save([{...moved, lastModified: row?.lastModified ?? moved.lastModified}])
    await storage.delete(file)
    return true
  }

  /** Puts the cache right, when there is reason to. @throws {LockHeld} */
  async finish(signal: AbortSignal | undefined): Promise<void> {
    if (!this.#mustRebuild) return
    await rebuildCache(this.parts, {owner: this.owner, ...(signal && {signal})})
  }
}

async function* read(storage: PackageStorage, file: DistFile): AsyncGenerator<Buffer> {
  for await (const chunk of await storage.open(file)) yield chunk as Buffer
}
