import type {FileHandle} from 'node:fs/promises'
import type {Readable} from 'node:stream'
import {InvalidInput, PpcError} from '../errors.js'
import type {DistFile} from '../packaging/dist-file.js'
import {parseFilename} from '../packaging/filenames.js'
import {normalizeName} from '../packaging/names.js'
import {computedKey, keyOf, parseKey, prefixesOf, type FileCoordinates, type KeyParts} from './layout.js'
import {smallSize, type Bytes} from './small-body.js'
import {
  isOddity,
  ObjectMissing,
  type Body,
  type ByteRange,
  type CopyOptions,
  type ListedObject,
  type ObjectMetadata,
  type ObjectStore,
  type Oddity,
} from './storage.js'

export interface PackagePutOptions {
  readonly replace: boolean
  /** See PutOptions. */
  readonly modified?: Date
  /** See PutOptions. */
  readonly unlisted?: boolean
  readonly signal?: AbortSignal
}

export interface PackageListOptions {
  /** Metadata requests at the same time. */
  readonly concurrency?: number
}

/** Members of `data` that the store itself knows, and arguments of pypicloud's constructor: never written as metadata. */
const notMetadata = new Set([
  ...[
    'path',
    'size',
    'fingerprint',
    'noted',
    'name',
    'version',
    'filename',
    'last_modified',
    'summary',
    'self',
    '__proto__',
  ],
])

/** Distribution files in an object store: which key each has, and what its metadata says. */
export class PackageStorage {
  readonly store: ObjectStore

  constructor(store: ObjectStore) {
    this.store = store
  }

  /** @throws {InvalidInput} for a name, version or file name that would lead out of the store. */
  keyOf(file: FileCoordinates): string {
    return keyOf(this.store.layout, file, this.store.keyPrefix)
  }

  /** The key that a new file gets, whatever its row remembers. @throws {InvalidInput} */
  usualKeyOf(file: Omit<FileCoordinates, 'data'>): string {
    return (this.store.keyPrefix ?? '') + computedKey(this.store.layout, file)
  }

  /** Undefined for a key that is not laid out as this store's are. */
  parseKey(key: string): KeyParts | undefined {
    const {layout, keyPrefix = ''} = this.store
    return key.startsWith(keyPrefix) ? parseKey(layout, key.slice(keyPrefix.length)) : undefined
  }

  /** As `keyOf`. Undefined for a row that names what can be no object. */
  keyOrNone(row: FileCoordinates): string | undefined {
    try {
      return this.keyOf(row)
    } catch (error) {
      if (error instanceof InvalidInput) return undefined
      throw error
    }
  }

  /** The normalised name of the project in whose directory a key lies. Undefined for a key that is laid out otherwise. */
  projectOf(key: string): string | undefined {
    const parts = this.parseKey(key)
    return parts && normalizeName(parts.name)
  }

  /** What to give to the store's `list` to find every file of these projects (normalised names), and not much more. */
  prefixesOf(projects: ReadonlySet<string>): readonly string[] {
    return prefixesOf(this.store.layout, projects)
  }

  /**
   * @returns the file as a listing would now give it.
   * @throws {InvalidInput} @throws {ObjectExists} @throws {StorageFailed}
   */
  async put(file: DistFile, body: Body, options: PackagePutOptions): Promise<DistFile> {
    const stored = await this.store.put(this.keyOf(file), body, {
      ...options,
      metadata: this.#metadataOf(file),
    })
    return this.#distFile(stored, stored.metadata, file)
  }

  /** @throws {ObjectMissing} */
  open(file: FileCoordinates, range?: ByteRange): Promise<Readable> {
    return this.store.open(this.keyOf(file), range)
  }

  /** All bytes of a file: small ones whole, where the store gives them so. @throws {ObjectMissing} */
  async read(file: DistFile): Promise<Bytes> {
    const key = this.keyOf(file)
    const {size = Infinity} = file.data
    if (!this.store.fetch || size > smallSize) return this.store.open(key)
    return (await this.store.fetch(key, size)).bytes
  }

  /**
   * As `put`, of a file of another storage, without its bytes passing through this process.
   * @returns undefined where this pair of stores can't. @throws as put, and {ObjectMissing}.
   */
  async copyFrom(
    source: PackageStorage,
    from: FileCoordinates,
    file: DistFile,
    options: PackagePutOptions & Pick<CopyOptions, 'link'>,
  ): Promise<DistFile | undefined> {
    const copy = {...options, metadata: this.#metadataOf(file)}
    const stored = await this.store.copyFrom?.(source.store, source.keyOf(from), this.keyOf(file), copy)
    return stored && this.#distFile(stored, stored.metadata, file)
  }

  /** Undefined where objects are no local files. @throws {ObjectMissing} */
  openLocalFile(file: FileCoordinates): Promise<FileHandle> | undefined {
    return this.store.openFile?.(this.keyOf(file))
  }

  /** The file as it is stored now: `data.size`, `data.fingerprint` and its metadata. @throws {ObjectMissing} */
  async stat(file: FileCoordinates): Promise<DistFile> {
    const stored = await this.store.stat(this.keyOf(file))
    return this.#distFile(stored, stored.metadata, file)
  }

  /** Whether the file is stored, by one question at the most. @throws {PpcError} where that can not be told */
  async exists(file: FileCoordinates): Promise<boolean> {
    if (this.store.has) return this.store.has(this.keyOf(file))
    try {
      await this.stat(file)
      return true
    } catch (error) {
      if (error instanceof ObjectMissing) return false
      throw error
    }
  }

  /** Of what is not there: succeeds. */
  delete(file: FileCoordinates): Promise<void> {
    return this.store.delete(this.keyOf(file))
  }

  /** By which a client fetches it from the service. Undefined where the store has no links. */
  link(file: FileCoordinates, seconds: number): Promise<URL> | undefined {
    return this.store.links?.urlOf(this.keyOf(file), seconds)
  }

  /** Every distribution file, in the store's order or nearly so, and everything that is none. */
  async *list(options: PackageListOptions = {}): AsyncGenerator<DistFile | Oddity> {
    const limit = options.concurrency ?? 64
    const asked: Promise<DistFile | Oddity | undefined>[] = []
    try {
      for await (const entry of this.store.list('')) {
        const told = isOddity(entry) ? entry : this.told(entry)
        if (told !== undefined && asked.length === 0) {
          yield told
          continue
        }
        const asking = told === undefined ? this.#ask(entry.key) : Promise.resolve(told)
        asking.catch(() => undefined) // it is awaited in its turn
        asked.push(asking)
        if (asked.length < limit) continue
        const first = await asked.shift()
        if (first !== undefined) yield first
      }
      for (const asking of asked) {
        const entry = await asking
        if (entry !== undefined) yield entry
      }
    } finally {
      await Promise.allSettled(asked)
    }
  }

  /** What an entry of the store's listing is, with one request where its metadata was not told. Undefined: it is gone. */
  async describe(entry: ListedObject): Promise<DistFile | Oddity | undefined> {
    return this.told(entry) ?? this.#ask(entry.key)
  }

  /** What an entry of the store's listing is. Undefined where the listing does not tell its metadata. */
  told(entry: ListedObject): DistFile | Oddity | undefined {
    return entry.metadata && this.#describe(entry, entry.metadata)
  }

  /** What is stored under a key. @throws {ObjectMissing} and whatever else the store throws. */
  async look(key: string): Promise<DistFile | Oddity> {
    const stored = await this.store.stat(key)
    return this.#describe(stored, stored.metadata)
  }

  /** As `look`, with all bytes. Undefined where the store can't do that at once. */
  async fetch({
    key,
    size,
  }: ListedObject): Promise<{readonly file: DistFile | Oddity; readonly bytes: Bytes} | undefined> {
    const fetched = await this.store.fetch?.(key, size)
    return fetched && {file: this.#describe(fetched.object, fetched.object.metadata), bytes: fetched.bytes}
  }

  async #ask(key: string): Promise<DistFile | Oddity | undefined> {
    try {
      return await this.look(key)
    } catch (error) {
      if (!(error instanceof PpcError)) throw error
      return error.statusCode === 404 ? undefined : {key, reason: error.message, unreadable: true}
    }
  }

  #describe(entry: ListedObject, raw: ObjectMetadata): DistFile | Oddity {
    const filename = entry.key.slice(entry.key.lastIndexOf('/') + 1)
    if (this.store.layout === 'tree') {
      const parts = this.parseKey(entry.key)
      if (parts?.version === undefined) return {key: entry.key, reason: 'is not at project/version/file'}
      return this.#distFile(entry, raw, {name: normalizeName(parts.name), version: parts.version, filename})
    }
    let {name, version} = raw
    if (!name || !version) {
      try {
        ;({name, version} = parseFilename(filename))
      } catch {
        return {
          key: entry.key,
          reason: 'has neither name and version as metadata nor the file name of a package',
        }
      }
    }
    return this.#distFile(entry, raw, {name: normalizeName(name), version, filename})
  }

  #distFile(
    entry: ListedObject,
    raw: ObjectMetadata,
    {name, version, filename}: Omit<FileCoordinates, 'data'>,
  ): DistFile {
    const metadata = readable(raw)
    const data: Record<string, string | number> = {}
    for (const [key, value] of metadata) if (!notMetadata.has(key)) data[key] = value
    data['size'] = entry.size
    data['fingerprint'] = entry.fingerprint
    if (this.#mustRemember(entry.key, {name, version, filename})) data['path'] = entry.key
    return {
      name,
      version,
      filename,
      lastModified: entry.modified,
      summary: metadata.get('summary') ?? null,
      data,
    }
  }

  /** pypicloud remembers the key in object stores; in a tree only one that would be computed otherwise matters. */
  #mustRemember(key: string, file: Omit<FileCoordinates, 'data'>): boolean {
    return this.store.layout !== 'tree' || key !== `${file.name}/${file.version}/${file.filename}`
  }

  #metadataOf(file: DistFile): ObjectMetadata {
    const entries = Object.entries(file.data)
      .filter(([key, value]) => !notMetadata.has(key) && value !== undefined && value !== '')
      .map(([key, value]) => [key, String(value)])
    return Object.fromEntries([
      ...entries,
      ...(file.summary ? [['summary', file.summary]] : []),
      ...(this.store.layout === 'tree'
        ? []
        : [
            ['name', file.name],
            ['version', file.version],
          ]),
    ]) as ObjectMetadata
  }
}

/** Object stores write `hash-sha256`, `hash_sha256` or both, depending on pypicloud's version: the underscore wins. */
function readable(metadata: ObjectMetadata): Map<string, string> {
  const found = new Map<string, string>()
  for (const [key, value] of Object.entries(metadata)) {
    const name = key.replaceAll('-', '_')
    if (value !== '' && (name === key || !metadata[name])) found.set(name, value)
  }
  return found
}
