import pLimit from 'p-limit'
import {LRUCache} from 'lru-cache'
import type {Cache} from '../cache/cache.js'
import {sizeOf, type DistFile} from '../packaging/dist-file.js'
import type {PackageIndex} from './package-index.js'

/** Milliseconds until what could not be completed is tried again. */
const retryAfter = 60_000
const filesAtOnce = 8
/** Rows that are written at once: each time the project's pages are made anew. */
const filesPerSave = 500

/**
 * Completes rows that pypicloud wrote, once somebody asks for their project: their size, which PEP 700 demands, and for
 * wheels the digest of their metadata, without which it is not offered (PEP 658). Behind the answers.
 */
export class Completion {
  /** Projects that are being completed, or could not be: until when they are left alone. */
  readonly #projects = new Map<string, number>()
  /** Wheels of which no metadata can be read, as they were then. */
  readonly #unreadable = new LRUCache<string, true>({max: 20_000})
  /** The same as objects, which caches give again while rows of a large project are as they were. */
  readonly #seenUnreadable = new WeakSet<DistFile>()
  readonly #work = new Set<Promise<void>>()

  constructor(
    private readonly index: Pick<PackageIndex, 'statFile' | 'coreMetadata'>,
    private readonly cache: Pick<Cache, 'save'>,
  ) {}

  /** @param project normalised. @param files all its rows. */
  start(project: string, files: readonly DistFile[]): void {
    const incomplete = files.filter(file => this.#isIncomplete(file))
    if (incomplete.length === 0) return
    if ((this.#projects.get(project) ?? 0) > performance.now()) return
    if (this.#projects.size > 10_000) this.#projects.clear()
    this.#projects.set(project, Infinity)
    const work = this.#complete(incomplete)
      .catch(() => false) // the page was answered without it; a later one tries again
      .then(done => {
        if (done) this.#projects.delete(project)
        else this.#projects.set(project, performance.now() + retryAfter)
        this.#work.delete(work)
      })
    this.#work.add(work)
  }

  /** Waits for what goes on behind the answers. */
  async settled(): Promise<void> {
    while (this.#work.size > 0) await Promise.all([...this.#work])
  }

  #isIncomplete(file: DistFile): boolean {
    return sizeOf(file) === undefined || this.#lacksMetadata(file)
  }

  #lacksMetadata(file: DistFile): boolean {
    return file.filename.endsWith('.whl') && !file.data.core_metadata_sha256 && !this.#isUnreadable(file)
  }

  #isUnreadable(file: DistFile): boolean {
    if (this.#seenUnreadable.has(file)) return true
    const known = this.#unreadable.has(identityOf(file))
    if (known) this.#seenUnreadable.add(file)
    return known
  }

  /** @returns false when one could not be asked about. */
  async #complete(files: readonly DistFile[]): Promise<boolean> {
    const limit = pLimit(filesAtOnce)
    let done = true
    for (let start = 0; start < files.length; start += filesPerSave) {
      const part = files.slice(start, start + filesPerSave)
      const completed = await Promise.all(part.map(file => limit(() => this.#completed(file))))
      const found = completed.filter(file => file !== undefined)
      done &&= found.length === part.length
      const changed = found.filter(file => !part.includes(file))
      if (changed.length === 0) continue
      await this.cache.save(changed, {seen: new Map(part.map(file => [file.filename, file]))})
    }
    return done
  }

  /** @returns the same when nothing more can be known, undefined when it could not be asked about now. */
  async #completed(file: DistFile): Promise<DistFile | undefined> {
    try {
      const size = sizeOf(file) ?? (await this.index.statFile(file)).size
      const sized = size === file.data.size ? file : {...file, data: {...file.data, size}}
      if (!this.#lacksMetadata(file)) return sized
      const metadata = await this.index.coreMetadata.of(sized)
      if (metadata) return {...sized, data: {...sized.data, core_metadata_sha256: metadata.sha256}}
      this.#unreadable.set(identityOf(file), true)
      return sized
    } catch {
      return undefined
    }
  }
}

/** Of a row, as long as it is about the same object. */
const identityOf = ({filename, lastModified, data}: DistFile): string =>
  `${filename}\n${data.fingerprint ?? ''}\n${lastModified.getTime()}`
