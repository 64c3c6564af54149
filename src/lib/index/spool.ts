import {randomUUID} from 'node:crypto'
import {createReadStream} from 'node:fs'
import {mkdir, open, readdir, rm, stat} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {join} from 'node:path'
import type {Readable} from 'node:stream'
import {StorageFailed} from '../errors.js'
import {Digester, hashStream, type Digests} from '../packaging/hashes.js'
import type {Body} from '../storage/storage.js'

/** The bytes of one upload in a file of ours, hashed while they came. The file goes with the scope, unless it was moved. */
export interface Spool extends AsyncDisposable {
  readonly path: string
  readonly body: Body
  readonly digests: Digests
}

const prefix = 'ppc-upload-'

/**
 * @param directory on the file system of the store where that has one, so that publishing moves the file.
 * @throws `tooLarge` past `maxSize` bytes. @throws {StorageFailed} when the disk is full or read-only. Nothing is left
 * behind.
 */
export async function spool(
  stream: Readable,
  directory: string | undefined,
  options: {maxSize: number; tooLarge: () => Error; blake2: boolean},
): Promise<Spool> {
  const folder = directory ?? tmpdir()
  const path = join(folder, `${prefix}${randomUUID()}.meta`) // pypicloud's listing dies on other endings
  const remove = () => rm(path, {force: true})
  const digester = await Digester.open({blake2: options.blake2})
  try {
    await mkdir(folder, {recursive: true})
    const file = await open(path, 'wx', 0o600)
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        if (digester.size + chunk.length > options.maxSize) {
          throw options.tooLarge()
        }
        const written = file.appendFile(chunk)
        digester.update(chunk) // while the kernel writes
        await written
      }
    } finally {
      await file.close()
    }
  } catch (error) {
    await remove().catch(() => undefined)
    throw isDiskProblem(error)
      ? new StorageFailed(`the upload can not be written to ${folder}: ${diskProblems[error.code]}`, {
          cause: error,
        })
      : error
  }
  return {
    path,
    digests: digester.digest(),
    body: {size: digester.size, open: () => createReadStream(path), disposablePath: path},
    [Symbol.asyncDispose]: remove,
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
