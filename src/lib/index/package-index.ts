import type {FileHandle} from 'node:fs/promises'
import type {Readable} from 'node:stream'
import type {Cache} from '../cache/cache.js'
import type {Config} from '../config/config.js'
import {NotFound, ProjectClosed} from '../errors.js'
import {checkRelease} from '../packaging/checks.js'
import {isUploaded, type DistFile} from '../packaging/dist-file.js'
import {checkFilename} from '../packaging/filenames.js'
import {sameVersion} from '../packaging/versions.js'
import {PackageStorage} from '../storage/package-storage.js'
import {ObjectMissing, type ByteRange, type ObjectStore, type StoredObject} from '../storage/storage.js'
import {dropProvenance} from './attestations.js'
import {CoreMetadataReader} from './core-metadata.js'
import {FileLinks} from './file-links.js'
import {KnownCaches} from './known-caches.js'
import {Notes} from './notes.js'
import {ProjectNotes} from './project-notes.js'
import {forgetRow, Publishing} from './publishing.js'
import {newestFirst} from './releases.js'
import {describeUpload, readUpload, type Published, type Upload} from './upload.js'
import {Wholeness} from './wholeness.js'

export type {Published, Upload} from './upload.js'

export interface IndexParts {
  readonly storage: ObjectStore
  readonly cache: Cache
  readonly config: Config
}

/**
 * The package index over a storage, which is the truth, and a cache, which lists it. Every change goes to the storage
 * first: what a crash leaves in between is healed by the next upload, download or rebuild of that file.
 */
export class PackageIndex {
  readonly notes: Notes
  readonly projectNotes: ProjectNotes
  readonly links: FileLinks
  readonly coreMetadata: CoreMetadataReader
  readonly wholeness: Wholeness
  readonly #storage: PackageStorage
  readonly #cache: Cache
  readonly #keepsHashes: boolean
  readonly #publishing: Publishing

  constructor({storage, cache, config}: IndexParts) {
    this.#storage = new PackageStorage(storage)
    this.#cache = cache
    this.#keepsHashes = config.core.calculatePackageHashes
    this.notes = new Notes(storage)
    this.wholeness = new Wholeness(cache, new KnownCaches(this.notes, cache))
    this.projectNotes = new ProjectNotes(this.notes, cache, this.wholeness)
    this.links = new FileLinks(this.#storage)
    this.coreMetadata = new CoreMetadataReader(this)
    this.#publishing = new Publishing({storage: this.#storage, cache, notes: this.notes})
  }

  /** What `rebuildCache` works on. */
  get rebuildParts(): {storage: PackageStorage; cache: Cache} {
    return {storage: this.#storage, cache: this.#cache}
  }

  findFile(filename: string): Promise<DistFile | undefined> {
    return this.#cache.findFile(filename)
  }

  /** Whether a file without a row is not here; else the list of files is not whole. */
  lacks(filename: string): Promise<boolean> {
    return this.wholeness.isAbsent(async () => (await this.#cache.findFile(filename)) !== undefined)
  }

  /** @param project normalised. Newest version first. @throws {ListNotWhole} */
  async listFiles(project: string): Promise<DistFile[]> {
    return newestFirst(await this.wholeness.whole(() => this.#cache.listFiles(project)))
  }

  /** Normalised names, by code point. @throws {ListNotWhole} */
  listProjects(): Promise<string[]> {
    return this.wholeness.whole(() => this.#cache.listProjects())
  }

  /** @throws {NotFound} and forgets the file when the storage has none. */
  openFile(file: DistFile, range?: ByteRange): Promise<Readable> {
    return this.#orForget(file, this.#storage.open(file, range))
  }

  /**
   * For who can send a whole local file quicker than a stream. Undefined where the storage has no local files.
   * @throws {NotFound} and forgets the file when the storage has none.
   */
  openLocalFile(file: DistFile): Promise<FileHandle> | undefined {
    const opened = this.#storage.openLocalFile(file)
    return opened && this.#orForget(file, opened)
  }

  /** As it is stored now. @throws {NotFound} and forgets the file when the storage has none. */
  statFile(file: DistFile): Promise<StoredObject> {
    return this.#orForget(file, this.#storage.store.stat(this.#storage.keyOf(file)))
  }

  /**
   * Stores and lists a file. The same bytes again change nothing, unless the uploader may overwrite: then what is
   * said about them is replaced.
   * @param rights `overwrite`: whether the uploader may replace what is there. `check`: throws where the uploader may
   * not write the project (normalised); only now is it certain which one that is.
   * @throws {InvalidInput} for a bad name, digest or archive, or when form, archive and file name disagree.
   * @throws {Conflict} when the file is there with other bytes, or its name is taken.
   * @throws {ProjectClosed} when the project is archived or quarantined.
   */
  async publish(
    upload: Upload,
    rights: {readonly overwrite: boolean; check?(project: string): Promise<void>},
  ): Promise<Published> {
    const {metadata, metadataBytes} = await readUpload(upload)
    const {name, version} = checkRelease({...upload, metadata})
    await rights.check?.(name)
    await this.#refuseClosed(name)
    const keeps = {hashes: this.#keepsHashes, attestations: this.#storage.store.notes?.beside !== undefined}
    const {data, provenance} = describeUpload(upload, {metadata, metadataBytes}, keeps)
    const file: DistFile = {
      filename: upload.filename,
      name,
      version,
      lastModified: new Date(),
      summary: (upload.summary?.trim() ? upload.summary : metadata?.summary) ?? null,
      data,
    }
    return this.wholeness.noting(() =>
      this.#publishing.publish(file, {...upload, provenance}, rights.overwrite),
    )
  }

  /**
   * Stores and lists a file of the upstream as such (`data.origin`), unless one of that name is here already. Seals stay.
   * @param file its `lastModified` is the time of publication, as a rebuild would read it from the object.
   * @returns the file that is here now. @throws {Conflict} when its name is taken by another project.
   */
  adopt(file: DistFile, upload: Pick<Upload, 'body' | 'digests'>): Promise<DistFile> {
    checkFilename(file.filename)
    return this.wholeness.noting(() => this.#publishing.adopt(file, upload))
  }

  /** Removes a file from storage and list. Repeatable. The last file of a name that was published here seals it. @throws {ListNotWhole} */
  remove(file: DistFile): Promise<void> {
    return this.#publishing.inTurn(file.name, async () => {
      // Sealed first: a crash between the two leaves a sealed name with files, which harms nobody.
      const others = (await this.listFiles(file.name)).filter(({filename}) => filename !== file.filename)
      if (isUploaded(file) && !others.some(isUploaded)) await this.notes.seal([file.name])
      await this.#storage.delete(file)
      await this.#forget(file)
      const isLast = !others.some(other => sameVersion(other.version, file.version))
      await this.projectNotes.forget(file, {isLast})
      await dropProvenance(this.#storage.store, file)
    })
  }

  async #refuseClosed(project: string): Promise<void> {
    const {status} = await this.projectNotes.of(project)
    if (status?.state !== 'archived' && status?.state !== 'quarantined') return
    const reason = status.reason === undefined ? '' : `: ${status.reason}`
    throw new ProjectClosed(`${project} is ${status.state} and takes no files${reason}`)
  }

  async #orForget<T>(file: DistFile, found: Promise<T>): Promise<T> {
    try {
      return await found
    } catch (error) {
      if (!(error instanceof ObjectMissing)) throw error
      await this.#storage.store.check() // a storage that can't be reached has lost nothing
      await this.#forget(file)
      throw new NotFound(`${file.filename} is not stored any more`, {cause: error})
    }
  }

  #forget(file: DistFile): Promise<void> {
    return forgetRow(file, {storage: this.#storage, cache: this.#cache, notes: this.notes})
  }
}
