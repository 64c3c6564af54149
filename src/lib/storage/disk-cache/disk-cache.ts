import {createHash} from 'node:crypto'
import {open, rm, type FileHandle} from 'node:fs/promises'
import type {Readable} from 'node:stream'
import type {Config} from '../../config/config.js'
import {diskCacheFields} from '../../config/schema/storage.js'
import {DiskCacheFill} from './fill.js'
import {CacheRoom} from './room.js'
import {systemReason} from '../file/errors.js'
import type {ByteRange, ObjectStore} from '../storage.js'

/**
 * The cache that a config asks for. Undefined where it asks for none, or where objects are local files anyway.
 * @throws {StorageFailed} when its directory can't be used.
 */
export async function openDiskCache(
  config: Config,
  store: ObjectStore,
  onTrouble: (message: string) => void,
): Promise<DiskCache | undefined> {
  const {diskCacheDir: directory, diskCacheMaxSize: maxSize} = config.read(diskCacheFields)
  if (directory === undefined || store.openFile) return undefined
  return DiskCache.open({directory, maxSize, onTrouble})
}

/** What an operator should know at start-up of a disk cache that does less than it seems: one sentence each. */
export function diskCacheNotices(config: Config, store: ObjectStore): string[] {
  if (config.read(diskCacheFields).diskCacheDir === undefined) return []
  if (store.openFile)
    return ['storage.disk_cache.dir: nothing is kept there, since the files are on this machine anyway.']
  if (!store.links?.inPages) return []
  return [
    'storage.redirect_urls = false: links in pages lead past the disk cache; with true they lead here, and to it.',
  ]
}

/** What the bytes of a file are known by. Another digest, or another fingerprint where there is none, is another file. */
export interface CachedObject {
  /** Of the store. */
  readonly store: string
  readonly key: string
  /** Bytes. */
  readonly size: number
  /** Hex. */
  readonly sha256?: string | undefined
  readonly fingerprint: string
}

/** How to get from the store what is not here. */
export interface ObjectSource {
  /** @throws {ObjectMissing} and others at once, as a store does. */
  open(range?: ByteRange): Promise<Readable>
  /** Whether the store still holds the object with that fingerprint. Asked where no digest proves what was read. */
  isCurrent(): Promise<boolean>
}

export interface DiskCacheOptions {
  readonly directory: string
  /** Bytes. */
  readonly maxSize: number
  /** One sentence, once, until it works again. */
  readonly onTrouble?: (message: string) => void
}

/**
 * Objects that were read lately, as files of this machine. Any number of processes may share the directory: what it
 * holds is decided by the file system alone.
 * ```
 * files/3f/3fa9…        the bytes of one object; the name is the digest of what it is known by, mtime its last use
 * filling/1234-6e1c…    a file that process 1234 is filling, of its final size from the beginning
 * ```
 * Only who asks for a whole file fills: ranges are answered from whole files, or by the store.
 */
export class DiskCache implements AsyncDisposable {
  readonly #room: CacheRoom
  /** By path. Undefined: there was no room. */
  readonly #fills = new Map<string, Promise<DiskCacheFill | undefined>>()
  readonly #work = new Set<Promise<void>>()
  readonly #closing = new AbortController()
  readonly #onTrouble: (message: string) => void
  #inTrouble = false

  private constructor(room: CacheRoom, onTrouble: (message: string) => void) {
    this.#room = room
    this.#onTrouble = onTrouble
  }

  /** Makes the directory, for this user alone, and removes what a crash left. @throws {StorageFailed} */
  static async open({directory, maxSize, onTrouble}: DiskCacheOptions): Promise<DiskCache> {
    return new DiskCache(await CacheRoom.open(directory, maxSize), onTrouble ?? (() => undefined))
  }

  /** Whether it could be answered without the store. */
  async holds(object: CachedObject): Promise<boolean> {
    const file = await this.#openWhole(object)
    await file?.close()
    return file !== undefined
  }

  /**
   * The bytes of `object`: the whole file, where it is here, or a stream of `range`. Whoever asked closes either.
   * @throws what `source.open` throws.
   */
  async open(object: CachedObject, source: ObjectSource, range?: ByteRange): Promise<FileHandle | Readable> {
    const file = await this.#openWhole(object)
    if (file) {
      const now = new Date()
      await file.utimes(now, now).catch(() => undefined)
      return file
    }
    const path = this.#pathOf(object)
    const whole = {start: 0, end: object.size - 1}
    const wanted = range ?? whole
    let starting = this.#fills.get(path)
    if (!starting && wanted.start === 0 && wanted.end === whole.end && object.size > 0) {
      starting = this.#fill(object, path, source)
      this.#fills.set(path, starting)
      starting.catch(() => this.#fills.delete(path)) // everybody who waits for it is told
    }
    const reader = await (await starting)?.read(wanted).catch(() => undefined) // it was filled in this moment
    return reader ?? source.open(range)
  }

  /** Running fills are given up. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closing.abort()
    await Promise.all(this.#work)
  }

  /** @returns once the first byte may come. */
  async #fill(object: CachedObject, path: string, source: ObjectSource): Promise<DiskCacheFill | undefined> {
    const place = await this.#room.reserve(object.size).catch((error: unknown) => this.#report(error))
    if (!place) {
      this.#fills.delete(path)
      return undefined
    }
    let fill: DiskCacheFill
    try {
      fill = new DiskCacheFill(object, place, source, await source.open())
    } catch (error) {
      await place.release()
      throw error
    }
    const work = fill
      .run(this.#closing.signal)
      .then(() => place.keep(path))
      .then(
        () => void (this.#inTrouble = false),
        async (error: unknown) => {
          await place.release()
          if (!this.#closing.signal.aborted) this.#report(error)
        },
      )
      .finally(() => {
        this.#fills.delete(path)
        this.#work.delete(work)
      })
    this.#work.add(work)
    return fill
  }

  /** A file of another size was damaged: it goes. */
  async #openWhole(object: CachedObject): Promise<FileHandle | undefined> {
    const path = this.#pathOf(object)
    const file = await open(path, 'r').catch(() => undefined)
    if (!file) return undefined
    const size = await file.stat().then(
      found => found.size,
      () => -1,
    )
    if (size === object.size) return file
    await file.close()
    await rm(path, {force: true}).catch(() => undefined)
    return undefined
  }

  #pathOf({store, key, size, sha256, fingerprint}: CachedObject): string {
    const known = JSON.stringify([store, key, size, sha256 ? `sha256:${sha256.toLowerCase()}` : fingerprint])
    return this.#room.pathOf(createHash('sha256').update(known).digest('hex').slice(0, 40))
  }

  #report(error: unknown): undefined {
    if (!this.#inTrouble) {
      this.#onTrouble(
        `the disk cache keeps nothing new now, files come from the storage: ${systemReason(error)}`,
      )
    }
    this.#inTrouble = true
  }
}
