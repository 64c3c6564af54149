import {addAbortSignal, type Readable} from 'node:stream'
import {StorageFailed} from '../errors.js'
import type {Body} from './storage.js'

/**
 * Reads a body in blocks of a wished size and holds it to the size that it promised. Close it, also after a failure:
 * `finally reader.close()`.
 */
export class BlockReader {
  readonly #body: Body
  readonly #stream: Readable
  readonly #chunks: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)
  #seen = 0

  constructor(body: Body, signal?: AbortSignal) {
    this.#body = body
    this.#stream = body.open()
    if (signal) addAbortSignal(signal, this.#stream)
    this.#chunks = this.#stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  }

  /**
   * The next `size` bytes; fewer at the end, none after it.
   * @param memory to put them into, at least as long: large blocks are used again rather than left to the collector.
   * @throws {StorageFailed} when the body turns out shorter or longer than `body.size`, at the latest with the block that
   * holds its last promised byte. @throws what the body throws.
   */
  async read(size: number, memory?: Buffer): Promise<Buffer> {
    const wanted = Math.min(size, this.#body.size - this.#seen)
    const block = memory?.subarray(0, wanted) ?? Buffer.allocUnsafeSlow(wanted)
    let filled = 0
    while (filled < wanted) {
      if (this.#rest.length === 0 && !(await this.#more())) throw wrongSize('shorter', this.#body)
      const part = this.#rest.subarray(0, wanted - filled)
      part.copy(block, filled)
      filled += part.length
      this.#rest = this.#rest.subarray(part.length)
    }
    this.#seen += wanted
    if (this.#seen === this.#body.size) await this.#expectEnd()
    return block
  }

  close(): void {
    this.#stream.on('error', () => undefined) // whoever reads has the failure already
    this.#stream.destroy()
  }

  async #expectEnd(): Promise<void> {
    while (this.#rest.length === 0) if (!(await this.#more())) return
    throw wrongSize('longer', this.#body)
  }

  async #more(): Promise<boolean> {
    const next = await this.#chunks.next()
    if (next.done) return false
    this.#rest = next.value
    return true
  }
}

/** All of a body that fits in memory, held to its size as `BlockReader` does. */
export async function readWhole(body: Body, signal?: AbortSignal): Promise<Buffer> {
  if (body.whole) {
    const bytes = await body.whole()
    signal?.throwIfAborted()
    if (bytes.length !== body.size) throw wrongSize(bytes.length < body.size ? 'shorter' : 'longer', body)
    return bytes
  }
  const reader = new BlockReader(body, signal)
  try {
    return await reader.read(body.size)
  } finally {
    reader.close()
  }
}

const wrongSize = (how: 'shorter' | 'longer', {size}: Body) =>
  new StorageFailed(`the content is ${how} than the ${size} bytes that were announced`)
