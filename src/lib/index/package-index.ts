import type {FileHandle} from 'node:fs/promises'
import type {Readable} from 'node:stream'
import type {Cache} from '../cache/cache.js'
import type {Config} from '../config/config.js'
import {Conflict, NotFound, ProjectClosed, Unavailable} from '../errors.js'
import {checkRelease} from '../packaging/checks.js'
import {isUploaded, type DistFile, type DistFileData} from '../packaging/dist-file.js'
import {checkFilename, quote} from '../packaging/filenames.js'
import {checkDigests, equalDigests, hashStream} from '../packaging/hashes.js'
import {sameVersion} from '../packaging/versions.js'
import {PackageStorage} from '../storage/package-storage.js'
import {
  ObjectExists,
  ObjectMissing,
  type ByteRange,
  type ObjectStore,
  type StoredObject,
} from '../storage/storage.js'
import {provenanceOf} from '../packaging/attestations.js'
import {digestOf, dropProvenance, keepProvenance} from './attestations.js'
import {CoreMetadataReader, describeMetadata} from './core-metadata.js'
import {FileLinks} from './file-links.js'
import {Notes} from './notes.js'
import {waitForLock} from './file-lock.js'
import {ProjectNotes} from './project-notes.js'
import {findOtherSpelling, newestFirst} from './releases.js'
import {Serial} from './serial.js'
import {readUpload, type Published, type Upload} from './upload.js'
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
  /** Saves retries among requests of one process; between processes, conditional writes decide. */
  readonly #serial = new Serial()

  constructor({storage, cache, config}: IndexParts) {
    this.#storage = new PackageStorage(storage)
    this.#cache = cache
    this.#keepsHashes = config.core.calculatePackageHashes
    this.notes = new Notes(storage)
    this.wholeness = new Wholeness(cache)
    this.projectNotes = new ProjectNotes(this.notes, cache, this.wholeness)
    this.links = new FileLinks(this.#storage)
    this.coreMetadata = new CoreMetadataReader(this)
  }

  /** What `rebuildCache` works on. */
  get rebuildParts(): {storage: PackageStorage; cache: Cache} {
    return {storage: this.#storage, cache: this.#cache}
  }

  findFile(filename: string): Promise<DistFile | undefined> {
    return this.#cache.findFile(filename)
  }

  /** @param project normalised. Newest version first. @throws {ListNotWhole} */
  async listFiles(project: string): Promise<DistFile[]> {
    const files = await this.#cache.listFiles(project)
    await this.wholeness.check()
    return newestFirst(files)
  }

  /** Normalised names, by code point. @throws {ListNotWhole} */
  async listProjects(): Promise<string[]> {
    const projects = await this.#cache.listProjects()
    await this.wholeness.check()
    return projects
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
    checkFilename(upload.filename)
    checkDigests(upload.claimed ?? {}, upload.digests)
    const {metadata, metadataBytes} = await readUpload(upload)
    const {name, version} = checkRelease({...upload, metadata})
    await rights.check?.(name)
    await this.#refuseClosed(name)
    const {filename, digests} = upload
    const provenance = upload.attestations?.trim()
      ? provenanceOf(upload.attestations, {filename, sha256: digests.sha256})
      : undefined
    const data: DistFileData = {
      // As the client says it, as pypicloud does; clients that say nothing (curl, a browser) leave it to the archive.
      ...textMember('requires_python', upload.requiresPython, metadata?.requiresPython),
      ...(this.#keepsHashes && {hash_sha256: upload.digests.sha256, hash_md5: upload.digests.md5}),
      ...textMember('uploader', upload.uploader),
      ...(metadataBytes &&
        filename.endsWith('.whl') && {core_metadata_sha256: describeMetadata(metadataBytes).sha256}),
      ...(provenance !== undefined &&
        this.#storage.store.notes?.beside && {attestations: digestOf(provenance)}),
      upload_time: timestamp(),
    }
    const file: DistFile = {
      filename,
      name,
      version,
      lastModified: new Date(),
      summary: (upload.summary?.trim() ? upload.summary : metadata?.summary) ?? null,
      data,
    }
    return this.#serial.run(name, () =>
      this.#asOnlyWriter(file, () => this.#publish(file, {...upload, provenance}, rights.overwrite)),
    )
  }

  /**
   * Stores and lists a file of the upstream as such (`data.origin`), unless one of that name is here already. Seals stay.
   * @param file its `lastModified` is the time of publication, as a rebuild would read it from the object.
   * @returns the file that is here now. @throws {Conflict} when its name is taken by another project.
   */
  adopt(file: DistFile, upload: Pick<Upload, 'body' | 'digests'>): Promise<DistFile> {
    checkFilename(file.filename)
    return this.#serial.run(file.name, () => this.#asOnlyWriter(file, () => this.#adopt(file, upload)))
  }

  /** Removes a file from storage and list. Repeatable. The last file of a name that was published here seals it. @throws {ListNotWhole} */
  remove(file: DistFile): Promise<void> {
    return this.#serial.run(file.name, async () => {
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

  /** Where the storage does not decide which of several writers is first, a lock of the cache does (all servers share it). */
  async #asOnlyWriter<T>(file: DistFile, work: () => Promise<T>): Promise<T> {
    if ((await this.#storage.store.decidesPuts?.()) !== false) return work()
    const lock = await waitForLock(this.#cache, `file:${file.filename}`)
    try {
      return await work()
    } finally {
      await lock[Symbol.asyncDispose]()
    }
  }

  async #publish(file: DistFile, upload: CheckedUpload, overwrite: boolean): Promise<Published> {
    const row = await this.#cache.findFile(file.filename)
    if (row && row.name !== file.name) throw taken(file)
    await this.#refuseOtherSpelling(file)
    if (row && (await this.#isStored(row))) return this.#publishAgain(file, row, upload, overwrite)
    let stored: DistFile
    try {
      stored = await this.#store(file, upload, false)
    } catch (error) {
      if (error instanceof ObjectMissing) throw deleted(file)
      if (!(error instanceof ObjectExists)) throw error
      // A crash, or another process a moment ago, has left it without a row.
      const found = await this.#storage.stat(file)
      await this.#list(found, row, found, true)
      await this.#unseal(file.name)
      return this.#publishAgain(file, found, upload, overwrite)
    }
    const published = await this.#list({...stored, summary: file.summary}, row, file, overwrite, upload)
    if (published.outcome === 'created') await this.#refuseOtherSpelling(file, true)
    await this.#unseal(file.name)
    return published
  }

  async #adopt(file: DistFile, {body, digests}: Pick<Upload, 'body' | 'digests'>): Promise<DistFile> {
    const row = await this.#cache.findFile(file.filename)
    if (row && row.name !== file.name) throw taken(file)
    if (row && (await this.#isStored(row))) return row
    let stored: DistFile
    try {
      const {summary, lastModified} = file
      stored = {...(await this.#storage.put(file, body, {replace: false})), summary, lastModified}
    } catch (error) {
      if (!(error instanceof ObjectExists)) throw error
      stored = await this.#storage.stat(file) // a crash, or another process, has left it without a row
    }
    const upload = {filename: file.filename, body, digests}
    return (await this.#list(stored, row, file, false, upload)).file
  }

  async #publishAgain(
    file: DistFile,
    before: DistFile,
    upload: CheckedUpload,
    overwrite: boolean,
  ): Promise<Published> {
    const same = await this.#hasBytes(before, upload)
    if (!overwrite) {
      if (!same) throw exists(file)
      return {file: before, outcome: 'unchanged'}
    }
    const {upload_time = file.data.upload_time, attestations} = same ? before.data : {}
    const lasting = {
      ...textMember('upload_time', upload_time),
      ...textMember('attestations', file.data.attestations, attestations),
    }
    const next: DistFile = {...file, data: {...file.data, ...lasting}}
    const stored = await this.#store(next, upload, true)
    if (next.data.attestations !== before.data.attestations) {
      await dropProvenance(this.#storage.store, before)
    }
    const listed = await this.#list({...stored, summary: file.summary}, before, next, true)
    // The same file, filed under another spelling of its version or under a prefix of the past.
    if (this.#storage.keyOf(before) !== this.#storage.keyOf(listed.file)) await this.#storage.delete(before)
    return {...listed, outcome: 'replaced'}
  }

  /** What attests a file is there before the file that names it. */
  async #store(file: DistFile, {body, provenance}: CheckedUpload, replace: boolean): Promise<DistFile> {
    if (provenance !== undefined) await keepProvenance(this.#storage.store, provenance)
    return this.#storage.put(file, body, {replace})
  }

  /**
   * Lists what was just stored, unless its row has changed since it was `seen`: then what is stored now is listed, or,
   * where another spelling of it was listed first, what was stored is taken back.
   */
  async #list(
    stored: DistFile,
    seen: DistFile | undefined,
    file: DistFile,
    overwrite: boolean,
    upload?: Upload,
  ): Promise<Published> {
    let current = stored
    let before = seen
    for (let attempt = 0; attempt < 50; attempt += 1) {
      const written = await this.#cache.save([current], {
        seen: new Map(before ? [[before.filename, before]] : []),
      })
      if (written.length > 0) {
        await this.#withdrawIfGone(current)
        return {file: stored, outcome: 'created'}
      }
      before = await this.#cache.findFile(file.filename)
      const isElsewhere = before && this.#storage.keyOf(before) !== this.#storage.keyOf(stored)
      if (before && isElsewhere && (before.name !== file.name || !overwrite)) {
        await this.#storage.delete(stored)
        if (before.name !== file.name) throw taken(file)
        if (!upload || !(await this.#hasBytes(before, upload))) throw exists(file)
        return {file: before, outcome: 'unchanged'}
      }
      current = await this.#storage.stat(stored).catch((error: unknown) => {
        throw error instanceof ObjectMissing ? deleted(file) : error
      })
    }
    throw new Unavailable(`too many are publishing ${file.filename} at once`)
  }

  /** Another process may have deleted it between storage and list, when there was no row yet that it could remove. */
  async #withdrawIfGone(listed: DistFile): Promise<void> {
    if (await this.#isStored(listed)) return
    await this.#forget(listed)
    throw deleted(listed)
  }

  /** @param withdraw what was stored under `file` goes again: two processes have published two spellings at once. */
  async #refuseOtherSpelling(file: DistFile, withdraw = false): Promise<void> {
    const other = findOtherSpelling(file, await this.#filesIfSdist(file))
    if (!other) return
    if (withdraw) {
      await this.#storage.delete(file)
      await this.#cache.remove([file])
    }
    throw new Conflict(`An sdist of ${file.name} ${file.version} already exists: ${other.filename}.`)
  }

  async #filesIfSdist(file: DistFile): Promise<readonly DistFile[]> {
    return file.filename.endsWith('.whl') ? [] : this.#cache.listFiles(file.name)
  }

  async #isStored(file: DistFile): Promise<boolean> {
    try {
      await this.#storage.stat(file)
      return true
    } catch (error) {
      if (error instanceof ObjectMissing) return false
      throw error
    }
  }

  /** By the recorded digest, or, where none was recorded, by reading what is stored. */
  async #hasBytes(file: DistFile, {body, digests}: Upload): Promise<boolean> {
    const {hash_sha256: recorded, size} = file.data
    if (recorded !== undefined) return equalDigests(recorded, digests.sha256)
    if (size !== undefined && size !== body.size) return false
    return (await hashStream(await this.#storage.open(file))).sha256 === digests.sha256
  }

  async #unseal(project: string): Promise<void> {
    if (!(await this.notes.sealed()).has(project)) return
    await this.notes.unseal(project)
    if ((await this.#cache.listFiles(project)).length === 0) await this.notes.seal([project]) // deleted meanwhile
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

  /** Takes the row away, unless another file of that name was listed meanwhile. */
  async #forget(file: DistFile): Promise<void> {
    const {removed, emptied} = await this.#cache.remove([file], {ifUnchanged: true})
    if (emptied.length > 0 && removed.some(isUploaded)) await this.notes.seal(emptied)
  }
}

/** With the provenance object that clients get. */
type CheckedUpload = Upload & {readonly provenance: string | undefined}

const exists = ({filename}: DistFile): Conflict =>
  new Conflict(`The file ${quote(filename)} already exists with other content.`, {
    hint: 'Publish it as a new version.',
  })
const deleted = ({filename}: DistFile): NotFound => new NotFound(`${filename} was deleted just now`)
const taken = ({filename}: DistFile): Conflict =>
  new Conflict(`The file name ${quote(filename)} is taken already.`)

/** The first text that says anything, as a member of that name. */
function textMember(key: string, ...values: (string | undefined)[]): Record<string, string> {
  const value = values.map(text => text?.trim() ?? '').find(text => text !== '')
  return value === undefined ? {} : {[key]: value}
}

/** PEP 700 §upload-time, with the microseconds that it asks for. */
const timestamp = (): string => new Date().toISOString().replace('Z', '000Z')
