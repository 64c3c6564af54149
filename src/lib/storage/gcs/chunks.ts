import {Readable} from 'node:stream'
import {BlockReader} from '../block-reader.js'
import type {Body} from '../storage.js'

/** What the body threw is its cause: no failure of the service, whatever it looks like. */
export class BodyBroken extends Error {
  constructor(cause: unknown) {
    super('the body broke', {cause})
  }
}

export interface Chunk {
  /** Good until the next chunk is asked for. */
  readonly bytes: Buffer
  /** Of its first byte. */
  readonly offset: number
  /** Everything was read, and its length is right. */
  readonly last: boolean
}

/**
 * Cuts a body into pieces of `size` bytes, the last one shorter: one piece without bytes where it has none. All of them use
 * the same memory.
 * @throws {BodyBroken} also when it is shorter or longer than it said, and then before its last piece.
 */
export async function* chunksOf(body: Body, size: number, signal?: AbortSignal): AsyncGenerator<Chunk> {
  signal?.throwIfAborted()
  const reader = new BlockReader(body, signal)
  const memory = Buffer.allocUnsafeSlow(Math.min(size, body.size))
  const read = async () => {
    try {
      return await reader.read(size, memory)
    } catch (error) {
      signal?.throwIfAborted()
      throw new BodyBroken(error)
    }
  }
  try {
    for (let offset = 0, last = false; !last;) {
      const bytes = await read()
      last = offset + bytes.length === body.size
      yield {bytes, offset, last}
      offset += bytes.length
    }
  } finally {
    reader.close()
  }
}

export function bodyOfText(text: string): Body {
  const bytes = Buffer.from(text)
  return {size: bytes.length, open: () => Readable.from([bytes], {objectMode: false})}
}
