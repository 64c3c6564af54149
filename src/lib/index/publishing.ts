import {Conflict, NotFound, Unavailable} from '../errors.js'
import type {Cache} from '../cache/cache.js'
import {isUploaded, type DistFile} from '../packaging/dist-file.js'
import {quote} from '../packaging/filenames.js'
import {equalDigests, hashStream} from '../packaging/hashes.js'
import type {PackageStorage} from '../storage/package-storage.js'
import {ObjectExists, ObjectMissing} from '../storage/storage.js'
import {dropProvenance, keepProvenance} from './attestations.js'
import {waitForLock} from './file-lock.js'
import type {Notes} from './notes.js'
import {findOtherSpelling} from './releases.js'
import {Serial} from './serial.js'
import {textMember, type CheckedUpload, type Published, type Upload} from './upload.js'

/** How often a row is looked at again that somebody else has just changed. */
const mostAttempts = 50

interface Places {
  readonly storage: PackageStorage
  readonly cache: Cache
  readonly notes: Notes
}

/**
 * How one file comes into storage and list, whoever else is at it: other requests, other servers, pypicloud. The storage
 * comes first, and decides who was first; what a crash leaves in between, the next upload or rebuild of the file heals.
 */
export class Publishing {
  readonly #storage: PackageStorage
  readonly #cache: Cache
  readonly #notes: Notes
  /** Saves retries among requests of one process; between processes, conditional writes decide. */
  readonly #serial = new Serial()

  constructor({storage, cache, notes}: Places) {
    this.#storage = storage
    this.#cache = cache
    this.#notes = notes
  }

  /** Runs `work` when no other change of the project is running in this process. */
  inTurn<T>(project: string, work: () => Promise<T>): Promise<T> {
    return this.#serial.run(project, work)
  }

  /** @throws {Conflict} when the file is there with other bytes, or its name is taken. */
  publish(file: DistFile, upload: CheckedUpload, overwrite: boolean): Promise<Published> {
    return this.#asOnlyWriter(file, () => this.#publish(file, upload, overwrite))
  }

  /** As `publish`, of a file of the upstream: what is here already stays. @returns the file that is here now. */
  adopt(file: DistFile, upload: Pick<Upload, 'body' | 'digests'>): Promise<DistFile> {
    return this.#asOnlyWriter(file, () => this.#adopt(file, upload))
  }

  /** Where the storage does not decide which of several writers is first, a lock of the cache does (all servers share it). */
  #asOnlyWriter<T>(file: DistFile, work: () => Promise<T>): Promise<T> {
    return this.inTurn(file.name, async () => {
      if ((await this.#storage.store.decidesPuts?.()) !== false) return work()
      const lock = await waitForLock(this.#cache, `file:${file.filename}`)
      try {
        return await work()
      } finally {
        await lock[Symbol.asyncDispose]()
      }
    })
  }

  async #publish(file: DistFile, upload: CheckedUpload, overwrite: boolean): Promise<Published> {
    const row = await this.#cache.findFile(file.filename)
    if (row && row.name !== file.name) throw taken(file)
    await this.#refuseOtherSpelling(file)
    if (row && (await this.#storage.exists(row))) {
      const again = await this.#publishAgain(file, row, upload, overwrite)
      await this.#unseal(file.name) // a deletion that failed has sealed it before
      return again
    }
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
    if (row && (await this.#storage.exists(row))) return row
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
    for (let attempt = 0; attempt < mostAttempts; attempt += 1) {
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
    if (await this.#storage.exists(listed)) return
    await forgetRow(listed, {storage: this.#storage, cache: this.#cache, notes: this.#notes})
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

  /** By the recorded digest, or, where none was recorded, by reading what is stored. */
  async #hasBytes(file: DistFile, {body, digests}: Upload): Promise<boolean> {
    const {hash_sha256: recorded, size} = file.data
    if (recorded !== undefined) return equalDigests(recorded, digests.sha256)
    if (size !== undefined && size !== body.size) return false
    return (await hashStream(await this.#storage.open(file))).sha256 === digests.sha256
  }

  async #unseal(project: string): Promise<void> {
    if (!(await this.#notes.sealed()).has(project)) return
    await this.#notes.unseal(project)
    if ((await this.#cache.listFiles(project)).length === 0) await this.#notes.seal([project]) // deleted meanwhile
  }
}

/**
 * Takes the row of a file away that is not stored any more, unless a file of that name is there again. A rebuild that saw the
 * object a moment before it went may have written the row anew: then that one goes.
 */
export async function forgetRow(file: DistFile, {storage, cache, notes}: Places): Promise<void> {
  let row: DistFile | undefined = file
  for (let attempt = 0; row && attempt < mostAttempts; attempt += 1) {
    const {removed, emptied} = await cache.remove([row], {ifUnchanged: true})
    if (emptied.length > 0 && removed.some(isUploaded)) await notes.seal(emptied)
    if (removed.length > 0) return
    row = await cache.findFile(file.filename)
    if (row && (await storage.exists(row))) return
  }
}

const exists = ({filename}: DistFile): Conflict =>
  new Conflict(`The file ${quote(filename)} already exists with other content.`, {
    hint: 'Publish it as a new version.',
  })
const deleted = ({filename}: DistFile): NotFound => new NotFound(`${filename} was deleted just now`)
const taken = ({filename}: DistFile): Conflict =>
  new Conflict(`The file name ${quote(filename)} is taken already.`)
