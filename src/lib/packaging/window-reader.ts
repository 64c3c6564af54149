import {RandomAccessReader} from 'yauzl'
import {InvalidInput} from '../errors.js'
import type {RandomAccess} from './archives.js'

const tailLength = 128 * 1024 // bytes: the end of a zip and, mostly, all of its directory
const shortestWindow = 4096 // bytes
const longestWindow = 1024 * 1024

/** Gives yauzl its many small reads out of few large ones, because each may be a request to a bucket. */
export class WindowReader extends RandomAccessReader {
  /** Bytes that will be read one after the other from where reading goes on. */
  readAhead = 0
  /** Rejects when the library stumbles over an archive outside of its own error handling. Never resolves. */
  readonly broken: Promise<never>
  readonly #source: RandomAccess
  #tail: Window | undefined
  #window: Window | undefined
  #breakOff: (error: unknown) => void = () => undefined

  constructor(source: RandomAccess) {
    super()
    this.#source = source
    this.broken = new Promise<never>((_, reject) => (this.#breakOff = reject))
    this.broken.catch(() => undefined)
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    this.#bytes(position, position + length)
      .then(
        bytes => {
          bytes.copy(buffer, offset)
          callback(null)
        },
        (error: unknown) => callback(error instanceof Error ? error : new Error(String(error))),
      )
      .catch(this.#breakOff)
  }

  async #bytes(start: number, end: number): Promise<Buffer> {
    const {size} = this.#source
    if (start < 0 || end > size) throw new InvalidInput('it is truncated')
    const tailStart = Math.max(0, size - tailLength)
    if (start >= tailStart) this.#tail ??= await this.#fetch(tailStart, size)
    for (const window of [this.#tail, this.#window])
      if (window !== undefined && start >= window.start && end <= window.start + window.bytes.length)
        return window.bytes.subarray(start - window.start, end - window.start)
    const ahead = Math.min(Math.max(this.readAhead, shortestWindow), longestWindow)
    this.#window = await this.#fetch(start, Math.min(size, Math.max(end, start + ahead)))
    return this.#window.bytes.subarray(0, end - start)
  }

  async #fetch(start: number, end: number): Promise<Window> {
    const bytes = await this.#source.read(start, end)
    if (bytes.length !== end - start) throw new InvalidInput('it ends early')
    return {start, bytes}
  }
}

interface Window {
  readonly start: number
  readonly bytes: Buffer
}
