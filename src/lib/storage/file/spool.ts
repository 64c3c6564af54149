import {createWriteStream, statSync, writeFileSync} from 'node:fs'
import {copyFile} from 'node:fs/promises'
import {pipeline} from 'node:stream/promises'
import {StorageFailed} from '../../errors.js'
import {readWhole} from '../block-reader.js'
import {smallSize} from '../small-body.js'
import type {Body} from '../storage.js'

/**
 * Brings the bytes to a file in the same file system as `path`: the body's own file, when it may be moved and lies
 * there, else a new one at `path`. Not yet on the disk: `flush` it.
 * @returns where they are.
 * @throws what the body throws, when it breaks. @throws {StorageFailed} when it is shorter or longer than it said.
 */
export async function adoptOrSpool(
  body: Body,
  path: string,
  directory: string,
  signal?: AbortSignal,
): Promise<string> {
  const own = body.disposablePath
  if (own === undefined) {
    await spool(body, path, signal)
    return path
  }
  const [found, target] = [statSync(own), statSync(directory)]
  if (found.size !== body.size) throw wrongSize(found.size, body.size)
  const staged = found.dev === target.dev ? own : path
  if (staged === path) await copyFile(own, path)
  return staged
}

async function spool(body: Body, path: string, signal: AbortSignal | undefined): Promise<void> {
  if (body.size <= smallSize) writeFileSync(path, await readWhole(body, signal), {flag: 'wx'})
  else await stream(body, path, signal)
}

async function stream(body: Body, path: string, signal: AbortSignal | undefined): Promise<void> {
  const source = body.open()
  let broken: {error: Error} | undefined
  source.once('error', error => (broken = {error}))
  const target = createWriteStream(path, {flags: 'wx', highWaterMark: 1 << 18})
  try {
    await pipeline(source, target, {signal})
  } catch (error) {
    throw broken?.error ?? error
  }
  if (target.bytesWritten !== body.size) throw wrongSize(target.bytesWritten, body.size)
}

const wrongSize = (found: number, expected: number) =>
  new StorageFailed(`the bytes ended after ${found}, expected ${expected}`)
