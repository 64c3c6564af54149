import {randomUUID} from 'node:crypto'
import {createReadStream} from 'node:fs'
import {mkdir, open, readdir, rm, stat, type FileHandle} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {Readable} from 'node:stream'
import {StorageFailed} from '../errors.js'
import {Digester, hashStream, type Digests} from '../packaging/hashes.js'
import {smallSize, streamOf} from '../storage/small-body.js'
import type {Body} from '../storage/storage.js'

/** The bytes of one upload, hashed while they came. They go with the scope, unless their file was moved. */
export interface Spool extends AsyncDisposable {
  readonly body: Body
  readonly digests: Digests
}

const prefix = 'ppc-upload-'
/** Bytes of all small uploads together. Those for which there is no room go to files, as large ones do. */
const mostInMemory = 16 * 1024 * 1024
let inMemory = 0

/**
 * Small uploads are kept in memory, others in a file: to write, read, move and remove one takes longer than all else about
 * most wheels.
 * @param directory on the file system of the store where that has one, so that publishing moves the file.
 * @throws `tooLarge` past `maxSize` bytes. @throws {StorageFailed} when the disk is full or read-only. Nothing is left
 * behind.
 */
export async function spool(
  content: Buffer | Readable,
  directory: string | undefined,
  options: {maxSize: number; tooLarge: () => Error; blake2: boolean},
): Promise<Spool> {
  const digester = await Digester.open({blake2: options.blake2})
  let chunks: Buffer[] = []
  let file: SpoolFile | undefined
  let held = 0
  const letGo = () => {
    inMemory -= held
    held = 0
  }
  const remove = async () => {
    letGo()
    await file?.remove()
  }
  try {
    for await (const chunk of Buffer.isBuffer(content) ? [content] : (content as AsyncIterable<Buffer>)) {
      const size = digester.size + chunk.length
      if (size > options.maxSize) throw options.tooLarge()
      if (!file && size <= smallSize && inMemory + chunk.length <= mostInMemory) {
        chunks.push(chunk)
        held += chunk.length
        inMemory += chunk.length
        digester.update(chunk)
        continue
      }
      file ??= await SpoolFile.create(directory ?? tmpdir())
      const written = file.write([...chunks, chunk])
      digester.update(chunk) // while the kernel writes
      await written
      chunks = []
      letGo()
    }
    await file?.close()
  } catch (error) {
    await file?.close().catch(() => undefined)
    await remove().catch(() => undefined)
    throw isDiskProblem(error)
      ? new StorageFailed(
          `the upload can not be written to ${directory ?? tmpdir()}: ${diskProblems[error.code]}`,
          {
            cause: error,
          },
        )
      : error
  }
  const body = file
    ? bodyIn(file.path, digester.size)
    : bodyOf(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks))
  return {digests: digester.digest(), body, [Symbol.asyncDispose]: remove}
}

const bodyIn = (path: string, size: number): Body => ({
  size,
  open: () => createReadStream(path),
  disposablePath: path,
})

const bodyOf = (bytes: Buffer): Body => ({
  size: bytes.length,
  open: () => streamOf(bytes),
  whole: () => Promise.resolve(bytes),
})

class SpoolFile {
  private constructor(
    readonly path: string,
    private readonly handle: FileHandle,
  ) {}

  /** @param folder is made when it is missing. */
  static async create(folder: string): Promise<SpoolFile> {
    await mkdir(folder, {recursive: true})
    const path = join(folder, `${prefix}${randomUUID()}.meta`) // pypicloud's listing dies on other endings
    return new SpoolFile(path, await open(path, 'wx', 0o600))
  }

  async write(chunks: readonly Buffer[]): Promise<void> {
    for (const chunk of chunks) await this.handle.appendFile(chunk)
  }

  close(): Promise<void> {
    return this.handle.close()
  }

  remove(): Promise<void> {
    return rm(this.path, {force: true})
  }
}

/** A digest that was claimed only after the file had gone by. */
export const blake2Of = async (spooled: Spool): Promise<string | undefined> =>
  (await hashStream(spooled.body.open(), {blake2: true})).blake2_256

const diskProblems = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EACCES: 'the directory may not be written',
  EPERM: 'the directory may not be written',
  EIO: 'the disk reports an error',
} as const
type DiskProblem = Error & {code: keyof typeof diskProblems}
const isDiskProblem = (error: unknown): error is DiskProblem =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code in diskProblems

/** Removes what a killed process left: spool files that nobody has written to for a day. */
export async function removeStaleSpools(directory: string | undefined, now = Date.now()): Promise<void> {
  const folder = directory ?? tmpdir()
  for (const name of await readdir(folder).catch(() => [])) {
    if (!name.startsWith(prefix)) continue
    const path = join(folder, name)
    const found = await stat(path).catch(() => undefined)
    if (found && now - found.mtimeMs > 24 * 3600 * 1000) await rm(path, {force: true}).catch(() => undefined)
  }
}
