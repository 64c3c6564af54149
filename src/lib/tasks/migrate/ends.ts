import {createHash, hash} from 'node:crypto'
import type {DistFile} from '../../packaging/dist-file.js'
import type {PackageStorage} from '../../storage/package-storage.js'
import {chunksOf, smallSize, wholeOf, type Bytes} from '../../storage/small-body.js'
import {ObjectMissing, type ListedObject, type Oddity} from '../../storage/storage.js'
import type {Bandwidth} from './bandwidth.js'

/** The two storages, and how fast they may be read. */
export interface Ends {
  readonly source: PackageStorage
  readonly target: PackageStorage
  readonly bandwidth: Bandwidth | undefined
  readonly signal: AbortSignal | undefined
}

/**
 * What an object is. Undefined: it is gone.
 * @throws when that can't be told now: it may be a distribution file, and must not be passed over in silence.
 */
export async function lookAt(
  storage: PackageStorage,
  entry: ListedObject,
): Promise<DistFile | Oddity | undefined> {
  try {
    return storage.told(entry) ?? (await storage.look(entry.key))
  } catch (error) {
    if (error instanceof ObjectMissing) return undefined
    throw error
  }
}

/** The bytes of a file, no faster than they may come. @param opened all of them, where they have been asked for. */
export async function* readFile(
  {bandwidth, signal}: Ends,
  storage: PackageStorage,
  file: DistFile,
  opened?: Bytes,
): AsyncGenerator<Buffer> {
  for await (const chunk of chunksOf(opened ?? (await storage.read(file)))) {
    signal?.throwIfAborted()
    await bandwidth?.take(chunk.length)
    yield chunk
  }
}

/** As `readFile`, of a file that fits in memory. */
export async function readSmallFile(
  {bandwidth, signal}: Ends,
  storage: PackageStorage,
  file: DistFile,
  opened?: Bytes,
): Promise<Buffer> {
  const bytes = await wholeOf(opened ?? (await storage.read(file)))
  signal?.throwIfAborted()
  await bandwidth?.take(bytes.length)
  return bytes
}

export interface BytesRead {
  /** Hex. */
  readonly sha256: string
  readonly size: number
}

/** Reads all of a file. @throws {ObjectMissing} */
export async function digestOf(ends: Ends, storage: PackageStorage, file: DistFile): Promise<BytesRead> {
  if ((file.data.size ?? Infinity) <= smallSize) {
    const bytes = await readSmallFile(ends, storage, file)
    return {sha256: hash('sha256', bytes), size: bytes.length}
  }
  const digest = createHash('sha256')
  let size = 0
  for await (const chunk of readFile(ends, storage, file)) {
    digest.update(chunk)
    size += chunk.length
  }
  return {sha256: digest.digest('hex'), size}
}
