import type {FileHandle} from 'node:fs/promises'
import type {Readable} from 'node:stream'
import {sizeOf, type DistFile} from '../packaging/dist-file.js'
import type {CachedObject, DiskCache, ObjectSource} from '../storage/disk-cache/disk-cache.js'
import type {PackageStorage} from '../storage/package-storage.js'
import type {ByteRange} from '../storage/storage.js'
import type {PackageIndex} from './package-index.js'

/** A file that is stored, and what a client may know before it has the bytes. */
export interface Download {
  /** Bytes. */
  readonly size: number
  readonly modified: Date
  /** Strong and without quotes. */
  readonly etag: string
  /**
   * A stream of `range`, or a local file that is whole whatever the range. Whoever asked closes either.
   * @throws {NotFound} and forgets the file when it is stored no more.
   */
  open(range?: ByteRange): Promise<FileHandle | Readable>
}

/** Finds what is to be sent: in the disk cache, without asking the storage, or else in the storage. */
export class Downloads {
  readonly #index: PackageIndex
  readonly #storage: PackageStorage
  readonly #diskCache: DiskCache | undefined

  constructor(parts: {index: PackageIndex; storage: PackageStorage; diskCache?: DiskCache | undefined}) {
    this.#index = parts.index
    this.#storage = parts.storage
    this.#diskCache = parts.diskCache
  }

  /** @throws {NotFound} and forgets the file when it is stored no more. @throws {Unavailable} */
  async find(file: DistFile): Promise<Download> {
    const listed = this.#asListed(file)
    if (listed && (await this.#diskCache?.holds(listed)))
      return this.#download(file, listed, file.lastModified)
    const {size, fingerprint, modified} = await this.#index.statFile(file)
    const {key, sha256} = this.#identity(file)
    return this.#download(file, {store: this.#storage.store.name, key, size, sha256, fingerprint}, modified)
  }

  #download(file: DistFile, object: CachedObject, modified: Date): Download {
    const {sha256, fingerprint, size} = object
    return {
      size,
      modified,
      etag: sha256 ?? Buffer.from(fingerprint).toString('base64url'),
      open: range => this.#open(file, object, range),
    }
  }

  async #open(file: DistFile, object: CachedObject, range?: ByteRange): Promise<FileHandle | Readable> {
    if (!this.#diskCache) return (await this.#index.openLocalFile(file)) ?? this.#index.openFile(file, range)
    const source: ObjectSource = {
      open: part => this.#index.openFile(file, part),
      isCurrent: async () => (await this.#index.statFile(file)).fingerprint === object.fingerprint,
    }
    return this.#diskCache.open(object, source, range)
  }

  /** The object as its row knows it. Undefined for rows that don't say enough. */
  #asListed(file: DistFile): CachedObject | undefined {
    const {key, sha256} = this.#identity(file)
    const {fingerprint = ''} = file.data
    const size = sizeOf(file)
    if (size === undefined || (sha256 === undefined && fingerprint === '')) return undefined
    return {store: this.#storage.store.name, key, size, sha256, fingerprint}
  }

  #identity(file: DistFile): {key: string; sha256: string | undefined} {
    return {key: this.#storage.keyOf(file), sha256: file.data.hash_sha256}
  }
}
