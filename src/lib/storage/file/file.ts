import {constants, statSync} from 'node:fs'
import {access, mkdir, open, realpath, stat, type FileHandle} from 'node:fs/promises'
import {join, relative, resolve} from 'node:path'
import {Readable} from 'node:stream'
import type {Config} from '../../config/config.js'
import {fileStorageFields} from '../../config/schema/storage.js'
import {InvalidInput, StorageFailed, Unavailable} from '../../errors.js'
import {isMissing, storageFailure, systemReason} from './errors.js'
import {isSameEntry} from './link.js'
import {listLeftovers} from './leftovers.js'
import {listTree} from './list.js'
import {metaEnding, removeLeftovers} from './names.js'
import {FileNotes} from './notes.js'
import {deleteFile, putFile, putLink} from './put.js'
import {describeFile, readSmallFile} from './read.js'
import {checkComponent} from '../layout.js'
import {streamOf} from '../small-body.js'
import {
  ObjectMissing,
  type Body,
  type ByteRange,
  type Leftover,
  type CopyOptions,
  type ListedObject,
  type ObjectStore,
  type Oddity,
  type PutOptions,
  type StoredObject,
} from '../storage.js'

/** Bytes read at once while a file is sent. */
const chunkSize = 1 << 18

/**
 * `pypi.storage = file`. As pypicloud, a relative `storage.dir` counts from the working directory.
 * @throws {StorageFailed} when the directory can't be made or read.
 */
export async function openFileStore(config: Config): Promise<ObjectStore> {
  const {dir} = config.read(fileStorageFields)
  const setting = config.settings.get('storage.dir')
  const where =
    setting === undefined ? '' : `${setting.source}${setting.line > 0 ? `:${setting.line}` : ''}: `
  return openDirectory(dir, `${where}storage.dir: `)
}

/** @param where put in front of a failure's sentence. */
export async function openDirectory(directory: string, where = ''): Promise<ObjectStore> {
  const root = resolve(directory)
  try {
    await mkdir(root, {recursive: true})
    await access(root, constants.R_OK | constants.X_OK)
    await removeLeftovers(root)
  } catch (error) {
    throw new StorageFailed(`${where}the directory ${root} can't be used: ${systemReason(error)}`, {
      cause: error,
    })
  }
  return new FileStore(root)
}

/** A directory as pypicloud's file storage: `name/version/filename`, and its metadata as JSON in `filename.meta`. */
class FileStore implements ObjectStore {
  readonly name: string
  readonly layout = 'tree'
  readonly keepsModified = true
  readonly spoolDirectory: string
  readonly notes: FileNotes

  constructor(root: string) {
    this.name = root
    this.spoolDirectory = root
    this.notes = new FileNotes(root)
  }

  async put(key: string, body: Body, options: PutOptions): Promise<StoredObject> {
    this.#check(key)
    try {
      await putFile(this.name, key, body, options)
    } catch (error) {
      throw storageFailure(error, `${key} was not stored in ${this.name}`)
    }
    if (!options.unlisted) return this.stat(key)
    const {modified = new Date(), metadata = {}} = options
    return {key, size: body.size, modified, fingerprint: '', metadata}
  }

  /** Only links: bytes of another directory are copied, and checked on their way, by `open` and `put`. */
  async copyFrom(
    source: ObjectStore,
    sourceKey: string,
    key: string,
    options: CopyOptions,
  ): Promise<StoredObject | undefined> {
    if (!(source instanceof FileStore) || options.link === undefined) return undefined
    const original = source.#pathOf(sourceKey)
    await source.stat(sourceKey)
    this.#check(key)
    try {
      return (await putLink(this.name, key, original, options)) ? await this.stat(key) : undefined
    } catch (error) {
      throw storageFailure(error, `${key} was not stored in ${this.name}`)
    }
  }

  async open(key: string, range?: ByteRange): Promise<Readable> {
    const small = range ? undefined : this.#readSmall(key)
    if (small) return streamOf(small)
    const {file, size} = await this.#open(key)
    const start = range?.start ?? 0
    const end = Math.min(range?.end ?? Infinity, size - 1)
    if (start <= end) return file.createReadStream({start, end, highWaterMark: chunkSize})
    await file.close()
    return Readable.from([])
  }

  async openFile(key: string): Promise<FileHandle> {
    return (await this.#open(key)).file
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- a contract of promises, and quicker without them
  async stat(key: string): Promise<StoredObject> {
    try {
      return describeFile(this.#pathOf(key), key)
    } catch (error) {
      throw this.#failure(error, key)
    }
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as `stat`
  async has(key: string): Promise<boolean> {
    try {
      return statSync(this.#pathOf(key), {throwIfNoEntry: false})?.isFile() === true
    } catch (error) {
      if (isMissing(error)) return false
      throw this.#failure(error, key)
    }
  }

  async *list(prefix: string): AsyncIterable<ListedObject | Oddity> {
    try {
      yield* listTree(this.name, prefix)
    } catch (error) {
      throw storageFailure(error, `${this.name} can't be listed`)
    }
  }

  async delete(key: string): Promise<void> {
    try {
      await deleteFile(this.name, this.#check(key))
    } catch (error) {
      throw storageFailure(error, `${key} was not removed from ${this.name}`)
    }
  }

  async *leftovers(): AsyncIterable<Leftover> {
    try {
      yield* listLeftovers(this.name)
    } catch (error) {
      throw storageFailure(error, `${this.name} can't be listed`)
    }
  }

  async check(): Promise<void> {
    try {
      await access(this.name, constants.R_OK | constants.X_OK)
    } catch (error) {
      throw new Unavailable(`${this.name}: ${systemReason(error)}`, {cause: error})
    }
  }

  async overlaps(other: ObjectStore): Promise<boolean> {
    if (!(other instanceof FileStore)) return false
    const [mine, theirs] = await Promise.all([realpath(this.name), realpath(other.name)])
    const [ours, others] = await Promise.all([stat(mine), stat(theirs)])
    const isWithin = (outer: string, inner: string) => !/^\.\.(?:\/|$)/.test(relative(outer, inner))
    // the same inode under two paths is a bind mount
    return (
      isWithin(mine, theirs) || isWithin(theirs, mine) || (ours.dev === others.dev && ours.ino === others.ino)
    )
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as `stat`
  async isOneWith(key: string, other: ObjectStore, otherKey: string): Promise<boolean> {
    return other instanceof FileStore && isSameEntry(this.#pathOf(key), other.#pathOf(otherKey))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // nothing stays open between calls
  }

  #readSmall(key: string): Buffer | undefined {
    try {
      return readSmallFile(this.#pathOf(key))
    } catch (error) {
      throw this.#failure(error, key)
    }
  }

  async #open(key: string): Promise<{file: FileHandle; size: number}> {
    const file = await open(this.#pathOf(key), constants.O_RDONLY | constants.O_NONBLOCK).catch(
      (error: unknown) => {
        throw this.#failure(error, key)
      },
    )
    try {
      const found = await file.stat()
      if (!found.isFile()) throw new ObjectMissing(`${key} is not stored`)
      return {file, size: found.size}
    } catch (error) {
      await file.close().catch(() => undefined)
      throw this.#failure(error, key)
    }
  }

  /** Callers have checked the parts. This is the last door before the file system. */
  #check(key: string): string {
    const parts = key.split('/')
    for (const part of parts) checkComponent('key', part)
    const filename = parts.at(-1) ?? ''
    if (parts.length !== 3 || filename.startsWith('.') || filename.endsWith(metaEnding)) {
      throw new InvalidInput(`the key ${JSON.stringify(key)} is not project/version/file`)
    }
    return key
  }

  #pathOf(key: string): string {
    return join(this.name, this.#check(key))
  }

  #failure(error: unknown, key: string): unknown {
    if (isMissing(error)) return new ObjectMissing(`${key} is not stored`, {cause: error})
    return storageFailure(error, `${key} can't be read from ${this.name}`)
  }
}
