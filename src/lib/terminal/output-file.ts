import {randomUUID} from 'node:crypto'
import {constants, createWriteStream} from 'node:fs'
import {access, open, realpath, rename, rm, stat} from 'node:fs/promises'
import {basename, dirname, join} from 'node:path'
import type {Writable} from 'node:stream'
import {finished} from 'node:stream/promises'
import {UsageError, isSystemError} from '../errors.js'

/** Finds out before a long run what `writePrivateFile` would find out after it. @throws {UsageError} */
export async function checkOutputFile(path: string): Promise<void> {
  if (path === '') throw new UsageError('the name of the file to write is empty')
  const there = await stat(path).catch(() => undefined)
  if (there?.isDirectory()) throw new UsageError(`"${path}" is a directory`)
  if (there && !there.isFile()) return
  const folder = dirname(there ? await realpath(path) : path)
  try {
    await access(folder, constants.W_OK)
  } catch (error) {
    throw new UsageError(`"${path}" can't be written: "${folder}" is missing or read-only`, {cause: error})
  }
}

/**
 * Writes `path` whole or not at all, readable by its owner only: what these tools write holds hashes and keys.
 * A device or a pipe (`/dev/stdout`) is written to as it is; a symbolic link keeps pointing where it does.
 */
export async function writePrivateFile(path: string, write: (out: Writable) => Promise<void>): Promise<void> {
  const there = await stat(path).catch(() => undefined)
  if (there?.isDirectory()) throw new UsageError(`"${path}" is a directory`)
  if (there && !there.isFile()) {
    const out = createWriteStream(path)
    await write(out)
    if (!out.writableEnded) out.end()
    return finished(out)
  }
  const target = there ? await realpath(path) : path
  const part = join(dirname(target), `.${basename(target)}.${randomUUID()}.part`)
  try {
    const file = await open(part, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600)
    const out = file.createWriteStream({flush: true})
    try {
      await write(out)
    } finally {
      if (!out.writableEnded) out.end()
      await finished(out).catch(() => undefined)
    }
    if (out.errored) throw out.errored
    await rename(part, target)
  } catch (error) {
    await rm(part, {force: true})
    if (isSystemError(error)) error.path ??= path // so that the message names it
    throw error
  }
}
