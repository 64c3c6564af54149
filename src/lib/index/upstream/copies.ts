import type {Cache} from '../../cache/cache.js'
import type {Config} from '../../config/config.js'
import {Conflict} from '../../errors.js'
import {isUploaded, type DistFile} from '../../packaging/dist-file.js'
import type {ObjectStore} from '../../storage/storage.js'
import {waitForLock} from '../file-lock.js'
import type {OriginPolicy} from '../origin.js'
import type {PackageIndex} from '../package-index.js'
import {isQuarantined} from '../project-facts.js'
import {asDistFile, type UpstreamFile, type UpstreamProject} from './project.js'
import type {UpstreamIndex} from './upstream-index.js'

/** Others may be fetching a large file. */
const fetching = {work: 'fetching a file of the upstream', patienceMs: 15 * 60_000}

export interface CopiesParts {
  readonly upstream: UpstreamIndex
  readonly index: PackageIndex
  readonly origin: OriginPolicy
  readonly cache: Cache
  readonly storage: ObjectStore
  readonly config: Pick<Config, 'core'>
  /** For the log. */
  readonly onFetched: (file: DistFile, checked: string | undefined) => void
}

/**
 * Copies of upstream files that this index keeps, marked as such in the object's own metadata. One process of all that
 * share the cache fetches a file, once, and nobody gets a byte of it before its digest has been compared.
 */
export class UpstreamCopies {
  readonly #parts: CopiesParts
  readonly #fetching = new Map<string, Promise<DistFile | undefined>>()

  constructor(parts: CopiesParts) {
    this.#parts = parts
  }

  /**
   * Whether files of the project may be asked for at all: see `OriginPolicy.mayFetch`. None of one in quarantine.
   * @param project normalised.
   */
  async mayFetch(project: string): Promise<boolean> {
    const {cache, origin, index} = this.#parts
    if (isQuarantined(await index.projectNotes.of(project))) return false
    const isPublished = (await cache.listFiles(project)).some(isUploaded)
    return origin.mayFetch(project, {isPublished})
  }

  /**
   * Fetches and stores a file. Ask `mayFetch` first.
   * @param project normalised. @returns the file that is here now; undefined when the upstream has none of that name.
   * @throws {UpstreamDown} @throws {UpstreamRefused} @throws {StorageFailed}
   */
  fetch(project: string, filename: string): Promise<DistFile | undefined> {
    const key = `${project}/${filename}`
    const running = this.#fetching.get(key)
    if (running) return running
    const work = this.#fetch(project, filename).finally(() => this.#fetching.delete(key))
    this.#fetching.set(key, work)
    return work
  }

  async #fetch(project: string, filename: string): Promise<DistFile | undefined> {
    const {upstream, index, cache} = this.#parts
    const found = await upstream.findFile(project, filename)
    if (!found) return undefined
    const lock = await waitForLock(cache, `fetch:${filename}`, fetching)
    try {
      const here = await index.findFile(filename)
      if (here) return here.name === project ? here : undefined
      return await this.#store(found.project, found.file)
    } finally {
      await lock[Symbol.asyncDispose]()
    }
  }

  async #store(project: UpstreamProject, file: UpstreamFile): Promise<DistFile | undefined> {
    const {upstream, index, storage, config, onFetched} = this.#parts
    const {spooled, checked} = await upstream.download(file, {
      directory: storage.spoolDirectory,
      maxSize: config.core.maxUploadSize,
    })
    try {
      const {sha256, md5} = spooled.digests
      const told = asDistFile(project, file)
      const data = {...told.data, hash_sha256: sha256, hash_md5: md5}
      const stored = await index.adopt({...told, data}, spooled)
      // The name may have become private while the bytes were on their way.
      if (!isUploaded(stored) && !(await this.mayFetch(project.name))) {
        await index.remove(stored)
        return undefined
      }
      onFetched(stored, checked)
      return stored
    } catch (error) {
      if (error instanceof Conflict) return undefined // another project has a file of that name
      throw error
    } finally {
      await spooled[Symbol.asyncDispose]()
    }
  }
}
