import pLimit from 'p-limit'
import {StorageFailed} from '../../errors.js'
import type {DistFile} from '../../packaging/dist-file.js'
import type {PackageStorage} from '../../storage/package-storage.js'
import {isOddity, ObjectMissing, type ListedObject, type Oddity} from '../../storage/storage.js'
import type {RebuildOptions, RebuildParts} from './options.js'

const filesPerBatch = 500
/** While one batch is written, the metadata of the next ones is on its way. */
const batchesAtOnce = 3
const defaultConcurrency = 64

/** A part of what the storage lists, and what the cache had of it before anything was asked about it. */
export interface ListedBatch {
  /** By file name. */
  readonly rows: ReadonlyMap<string, DistFile>
  /** File names whose row is about exactly the listed object, so that nothing was asked. */
  readonly known: readonly string[]
  /** What the others are. */
  readonly files: readonly DistFile[]
  /** File names of objects that can't be read. */
  readonly unread: readonly string[]
}

type Entries = ReadonlyMap<string, ListedObject>

/** Reads the storage's listing in batches, several at a time, so that requests for metadata never wait for the cache. */
export class StorageListing {
  readonly #limit

  /**
   * @param report takes what is no distribution file or can't be read.
   * @param onListed is told of objects whose metadata has come: long before their batch is whole where that is slow.
   */
  constructor(
    private readonly parts: RebuildParts,
    private readonly options: Pick<RebuildOptions, 'full' | 'projects' | 'concurrency' | 'signal'>,
    private readonly report: (oddity: Oddity) => void,
    private readonly onListed: (objects: number) => void,
  ) {
    this.#limit = pLimit(options.concurrency ?? defaultConcurrency)
  }

  /**
   * Each batch has to be written before the next one is asked for. A file name is once in a batch, and its row in another
   * batch is looked up after the first one was written.
   * @throws {Unavailable} when an object can't be asked about now.
   */
  async *batches(): AsyncGenerator<ListedBatch> {
    const waiting: {readonly entries: Entries; readonly batch: Promise<ListedBatch>}[] = []
    try {
      for await (const entries of this.#entries()) {
        for (
          let first = waiting[0];
          first &&
          (waiting.length >= batchesAtOnce || waiting.some(other => overlap(other.entries, entries)));
          first = waiting[0]
        ) {
          yield await first.batch
          waiting.shift()
        }
        const batch = this.#describe(entries)
        batch.catch(() => undefined) // it is awaited in its turn
        waiting.push({entries, batch})
      }
      for (const {batch} of waiting) yield await batch
    } finally {
      this.#limit.clearQueue()
    }
  }

  async *#entries(): AsyncGenerator<Entries> {
    const {storage} = this.parts
    const {projects} = this.options
    let entries = new Map<string, ListedObject>()
    for (const prefix of projects ? storage.prefixesOf(projects) : ['']) {
      for await (const entry of storage.store.list(prefix)) {
        const project = projects && storage.projectOf(entry.key)
        if (isOddity(entry)) {
          if (!projects || (project !== undefined && projects.has(project))) this.report(entry)
          continue
        }
        // a key that tells no project is asked about, too
        if (project !== undefined && !projects?.has(project)) continue
        const filename = entry.key.slice(entry.key.lastIndexOf('/') + 1)
        if (entries.has(filename)) {
          yield entries
          entries = new Map()
        }
        entries.set(filename, entry)
        if (entry.metadata !== undefined) this.onListed(1)
        if (entries.size < filesPerBatch) continue
        yield entries // not only when the next page is here
        entries = new Map()
      }
    }
    if (entries.size > 0) yield entries
  }

  async #describe(entries: Entries): Promise<ListedBatch> {
    const {storage, cache} = this.parts
    const rows = await cache.findFiles([...entries.keys()])
    const known: string[] = []
    const files: DistFile[] = []
    const unread: string[] = []
    const take = (found: DistFile | Oddity | undefined): void => {
      if (found === undefined) return
      if (isOddity(found)) this.report(found)
      else if (this.options.projects?.has(found.name) ?? true) files.push(found)
    }
    const asking: Promise<void>[] = []
    for (const [filename, entry] of entries) {
      const row = rows.get(filename)
      if (entry.metadata !== undefined) take(storage.told(entry))
      else if (row && !this.options.full && isAbout(storage, row, entry)) known.push(filename)
      else {
        const ask = async () => {
          take(await this.#ask(entry.key, filename, unread))
          this.onListed(1)
        }
        asking.push(this.#limit(ask))
      }
    }
    this.onListed(known.length)
    await Promise.all(asking)
    return {rows, known, files, unread}
  }

  /** Undefined when it is gone by now, or can't be read. */
  async #ask(key: string, filename: string, unread: string[]): Promise<DistFile | Oddity | undefined> {
    this.options.signal?.throwIfAborted()
    try {
      return await this.parts.storage.look(key)
    } catch (error) {
      if (error instanceof ObjectMissing) return undefined
      if (!(error instanceof StorageFailed)) throw error
      unread.push(filename)
      return {key, reason: error.message, unreadable: true}
    }
  }
}

/** Whether the listing has nothing that the row does not know (RULES 18). */
function isAbout(storage: PackageStorage, row: DistFile, {key, fingerprint, size}: ListedObject): boolean {
  if (fingerprint === '' || row.data.fingerprint !== fingerprint || row.data.size !== size) return false
  return storage.keyOrNone(row) === key
}

function overlap(a: Entries, b: Entries): boolean {
  for (const name of b.keys()) if (a.has(name)) return true
  return false
}
