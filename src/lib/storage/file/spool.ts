import {createHash, type Hash} from 'node:crypto'
import {
  closeSync,
  createReadStream,
  createWriteStream,
  openSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import {copyFile} from 'node:fs/promises'
import {pipeline} from 'node:stream/promises'
import {StorageFailed} from '../../errors.js'
import {readWhole} from '../block-reader.js'
import {smallSize} from '../small-body.js'
import type {Body} from '../storage.js'

/** Bytes under a name that nobody reads, open until they are disposed of. Not yet on the disk: flush `descriptor`. */
export interface Spooled extends Disposable {
  readonly path: string
  readonly descriptor: number
  /** Absent for bytes that were there before. @throws {StorageFailed} when the file does not hold what came. */
  confirm?(): Promise<void> | void
}

const chunkSize = 1 << 18

/**
 * Brings the bytes to a file in the same file system as `path`: the body's own file, when it may be moved and lies
 * there, else a new one at `path`.
 * @throws what the body throws, when it breaks. @throws {StorageFailed} when it is shorter or longer than it said.
 */
export async function adoptOrSpool(
  body: Body,
  path: string,
  directory: string,
  signal?: AbortSignal,
): Promise<Spooled> {
  const own = body.disposablePath
  if (own === undefined)
    return body.size <= smallSize ? spool(body, path, signal) : stream(body, path, signal)
  const [found, target] = [statSync(own), statSync(directory)]
  if (found.size !== body.size) throw wrongSize(found.size, body.size)
  if (found.dev === target.dev) return opened(own)
  await copyFile(own, path)
  return opened(path)
}

export function opened(path: string, flags = 'r'): Spooled {
  const descriptor = openSync(path, flags)
  return {path, descriptor, [Symbol.dispose]: () => closeSync(descriptor)}
}

async function spool(body: Body, path: string, signal: AbortSignal | undefined): Promise<Spooled> {
  const bytes = await readWhole(body, signal)
  const file = opened(path, 'wx+')
  try {
    writeFileSync(file.descriptor, bytes)
  } catch (error) {
    file[Symbol.dispose]()
    throw error
  }
  const confirm = () => {
    const held = Buffer.allocUnsafe(bytes.length + 1)
    const length = readSync(file.descriptor, held, 0, held.length, 0)
    if (!held.subarray(0, length).equals(bytes)) throw notAsWritten()
  }
  return {...file, confirm}
}

async function stream(body: Body, path: string, signal: AbortSignal | undefined): Promise<Spooled> {
  const digest = body.sha256 ? undefined : createHash('sha256')
  const source = body.open()
  let broken: {error: Error} | undefined
  source.once('error', error => (broken = {error}))
  const target = createWriteStream(path, {flags: 'wx', highWaterMark: chunkSize})
  try {
    await (digest ? pipeline(source, passing(digest), target, {signal}) : pipeline(source, target, {signal}))
  } catch (error) {
    throw broken?.error ?? error
  }
  if (target.bytesWritten !== body.size) throw wrongSize(target.bytesWritten, body.size)
  const sha256 = digest?.digest('hex') ?? body.sha256?.()
  const confirm = async () => {
    const held = createHash('sha256')
    const again: AsyncIterable<Buffer> = createReadStream(path, {highWaterMark: chunkSize, signal})
    for await (const chunk of again) held.update(chunk)
    if (held.digest('hex') !== sha256) throw notAsWritten()
  }
  return {...opened(path), confirm}
}

const passing = (digest: Hash) =>
  async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      digest.update(chunk)
      yield chunk
    }
  }

const wrongSize = (found: number, expected: number) =>
  new StorageFailed(`the bytes ended after ${found}, expected ${expected}`)

const notAsWritten = () =>
  new StorageFailed('what was written does not read back the same, and was removed again: check the disk')
