import {createHash} from 'node:crypto'
import {buffer} from 'node:stream/consumers'
import {LRUCache} from 'lru-cache'
import {InvalidInput} from '../errors.js'
import {readArchive} from '../packaging/archives.js'
import {sizeOf, type DistFile} from '../packaging/dist-file.js'
import type {PackageIndex} from './package-index.js'

/** METADATA of a wheel as it is in it. */
export interface CoreMetadataFile {
  readonly bytes: Buffer
  /** Hex. */
  readonly sha256: string
}

/** Bytes of metadata that are kept. */
const capacity = 16 * 1024 * 1024
const overhead = 500

/** Reads METADATA out of stored wheels by a range or two, once for as long as somebody asks for it (PEP 658). */
export class CoreMetadataReader {
  readonly #known = new LRUCache<string, {readonly found: CoreMetadataFile | undefined}>({
    maxSize: capacity,
    sizeCalculation: ({found}, key) => overhead + 2 * key.length + (found?.bytes.length ?? 0),
  })
  readonly #reading = new Map<string, Promise<CoreMetadataFile | undefined>>()

  constructor(private readonly index: Pick<PackageIndex, 'openFile' | 'statFile'>) {}

  /**
   * @returns undefined for other files than wheels, and for wheels that can't be read as installers read them.
   * @throws {NotFound} when the file is not stored any more. @throws {Unavailable} {StorageFailed}
   */
  of(file: DistFile): Promise<CoreMetadataFile | undefined> {
    if (!file.filename.endsWith('.whl')) return Promise.resolve(undefined)
    const {fingerprint = '', hash_sha256 = ''} = file.data
    const key = `${file.filename}\n${fingerprint}\n${hash_sha256}\n${file.lastModified.getTime()}`
    const known = this.#known.get(key)
    if (known) return Promise.resolve(known.found)
    const running = this.#reading.get(key)
    if (running) return running
    const reading = this.#read(file)
      .then(found => {
        this.#known.set(key, {found})
        return found
      })
      .finally(() => this.#reading.delete(key))
    this.#reading.set(key, reading)
    return reading
  }

  async #read(file: DistFile): Promise<CoreMetadataFile | undefined> {
    const size = sizeOf(file) ?? (await this.index.statFile(file)).size
    const read = async (start: number, end: number) =>
      start >= end ? Buffer.alloc(0) : buffer(await this.index.openFile(file, {start, end: end - 1}))
    try {
      const {metadataBytes} = await readArchive({size, read, stream: neverStreamed}, file.filename)
      return metadataBytes && describeMetadata(metadataBytes)
    } catch (error) {
      if (error instanceof InvalidInput) return undefined
      throw error
    }
  }
}

export const describeMetadata = (bytes: Buffer): CoreMetadataFile => ({
  bytes,
  sha256: createHash('sha256').update(bytes).digest('hex'),
})

const neverStreamed = (): never => {
  throw new Error('a wheel is read by ranges')
}
