import {closeSync, constants, fstatSync, openSync, readSync, statSync, type BigIntStats} from 'node:fs'
import {errorCode, isMissing} from './errors.js'
import {largestMetadata, parseMetadata} from './metadata.js'
import {metaPath} from './names.js'
import {smallSize} from '../small-body.js'
import type {ObjectMetadata, StoredObject} from '../storage.js'

// These calls are synchronous on purpose: each takes some microseconds, as a promise it would cost ten times as much
// of this thread, and a rebuild makes four of them for every file of the index.

/** Without following what a replacement in the same moment could mix up: bytes and metadata belong together. */
export function describeFile(path: string, key: string): StoredObject & {readonly damagedMeta?: true} {
  for (let attempt = 0; ; attempt += 1) {
    const file = statSync(path, {bigint: true})
    if (!file.isFile()) throw new NotAFile(path)
    const meta = readMeta(metaPath(path))
    if (
      attempt < 5 &&
      isFresh(file, meta?.stats) &&
      identity(statSync(path, {bigint: true})) !== identity(file)
    ) {
      continue
    }
    return {
      key,
      size: Number(file.size),
      modified: new Date(Number(file.mtimeMs)),
      fingerprint: meta === undefined ? identity(file) : `${identity(file)}+${identity(meta.stats)}`,
      metadata: meta?.metadata ?? {},
      ...(meta !== undefined && meta.metadata === undefined && {damagedMeta: true}),
    }
  }
}

/** A directory, socket or device where a file was looked for. */
export class NotAFile extends Error {
  readonly code = 'ENOENT'
}

/** Opaque to everybody else: the same only while nobody has written the file again. */
const identity = (stats: BigIntStats): string =>
  [stats.size, stats.mtimeNs, stats.ctimeNs, stats.ino].map(part => part.toString(36)).join('.')

/** Written in the last minute, so that it may be in the middle of being replaced. */
const isFresh = (file: BigIntStats, meta: BigIntStats | undefined): boolean => {
  const since = BigInt(Date.now() - 60_000)
  return file.ctimeMs > since || (meta !== undefined && meta.ctimeMs > since)
}

/** `metadata` is undefined where there is a file that can't be understood. */
function readMeta(path: string): {stats: BigIntStats; metadata: ObjectMetadata | undefined} | undefined {
  let handle: number
  try {
    handle = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK) // a named pipe would wait for its writer
  } catch (error) {
    if (isMissing(error)) return undefined
    const stats = statSync(path, {bigint: true, throwIfNoEntry: false})
    if (stats === undefined || errorCode(error) !== 'EACCES') throw error
    return {stats, metadata: undefined}
  }
  try {
    const stats = fstatSync(handle, {bigint: true})
    if (!stats.isFile() || stats.size > largestMetadata) return {stats, metadata: undefined}
    return {stats, metadata: parseMetadata(readAll(handle, Number(stats.size)).toString('utf8'))}
  } finally {
    closeSync(handle)
  }
}

/** Fewer than `size` bytes only where the file has become shorter. */
function readAll(handle: number, size: number): Buffer {
  const buffer = Buffer.allocUnsafe(size)
  let length = 0
  while (length < size) {
    const count = readSync(handle, buffer, length, size - length, length)
    if (count === 0) break
    length += count
  }
  return buffer.subarray(0, length)
}

/** All of a small file by the fewest calls. Undefined: it is none. */
export function readSmallFile(path: string): Buffer | undefined {
  const handle = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
  try {
    const stats = fstatSync(handle)
    if (!stats.isFile()) throw new NotAFile(path)
    return stats.size > smallSize ? undefined : readAll(handle, stats.size)
  } finally {
    closeSync(handle)
  }
}
