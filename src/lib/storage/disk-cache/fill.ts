import {createHash} from 'node:crypto'
import {open, type FileHandle} from 'node:fs/promises'
import {Readable} from 'node:stream'
import {equalDigests} from '../../packaging/hashes.js'
import type {CachedObject, ObjectSource} from './disk-cache.js'
import type {Place} from './room.js'
import type {ByteRange} from '../storage.js'

/** A store that gives nothing for so long, in ms, is given up. */
const patience = 60_000
/** Bytes that readers take at once. */
const pieceSize = 256 * 1024

/**
 * An object on its way from the store to the disk. Readers follow the file as it grows, each at its own pace: a slow one
 * holds up nobody and no memory, one that goes away is not noticed. When the filling fails, they go on from the store.
 */
export class DiskCacheFill {
  #written = 0
  #ended = false
  #wake: (() => void)[] = []

  constructor(
    private readonly object: CachedObject,
    private readonly place: Place,
    private readonly source: ObjectSource,
    private readonly stream: Readable,
  ) {}

  /** Writes and checks everything. @throws when the bytes are not all there, or not those that were to come. */
  async run(signal: AbortSignal): Promise<void> {
    const {file} = this.place
    const {size, sha256} = this.object
    const {stream} = this
    const hash = sha256 === undefined ? undefined : createHash('sha256')
    const stop = (): void => void stream.destroy(new Error('the server is ending'))
    const late = setTimeout(
      () => stream.destroy(new Error('the storage gave nothing for a minute')),
      patience,
    )
    signal.addEventListener('abort', stop)
    try {
      if (signal.aborted) stop()
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        late.refresh()
        if (this.#written + chunk.length > size) throw new Error(this.#wrong('is longer than recorded'))
        hash?.update(chunk)
        await writeAll(file, chunk, this.#written)
        this.#written += chunk.length
        this.#notify()
      }
      if (this.#written < size) throw new Error(this.#wrong('is shorter than recorded'))
      if (hash ? !equalDigests(hash.digest('hex'), sha256 ?? '') : !(await this.source.isCurrent())) {
        throw new Error(this.#wrong(hash ? 'does not have its recorded digest' : 'was replaced meanwhile'))
      }
      await file.datasync() // the name must not outlive the bytes when the machine goes down
    } finally {
      clearTimeout(late)
      signal.removeEventListener('abort', stop)
      this.#ended = true
      this.#notify()
    }
  }

  /** @throws when the file has just left its place. */
  async read(range: ByteRange): Promise<Readable> {
    return new GrowingFile(this, await open(this.place.path, 'r'), this.source, range)
  }

  /** How many bytes are there, once there are more than `offset` or there will be no more. */
  async bytesAfter(offset: number): Promise<number> {
    while (this.#written <= offset && !this.#ended) {
      await new Promise<void>(resolve => this.#wake.push(resolve))
    }
    return Math.max(0, this.#written - offset)
  }

  #notify(): void {
    for (const wake of this.#wake.splice(0)) wake()
  }

  #wrong(what: string): string {
    return `${this.object.key} ${what}`
  }
}

async function writeAll(file: FileHandle, chunk: Buffer, position: number): Promise<void> {
  for (let done = 0; done < chunk.length;) {
    done += (await file.write(chunk, done, chunk.length - done, position + done)).bytesWritten
  }
}

class GrowingFile extends Readable {
  #offset: number
  #rest: Readable | undefined
  #pieces: AsyncIterator<Buffer> | undefined

  constructor(
    private readonly fill: DiskCacheFill,
    private readonly file: FileHandle,
    private readonly source: ObjectSource,
    private readonly range: ByteRange,
  ) {
    super({highWaterMark: pieceSize})
    this.#offset = range.start
  }

  override _read(): void {
    this.#next().then(
      piece => {
        this.#offset += piece?.length ?? 0
        this.push(piece ?? null)
      },
      (error: unknown) => this.destroy(error as Error),
    )
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#rest?.destroy()
    this.file.close().then(
      () => done(error),
      () => done(error),
    )
  }

  async #next(): Promise<Buffer | undefined> {
    const wanted = this.range.end + 1 - this.#offset
    if (wanted <= 0) return undefined
    if (!this.#pieces) {
      const there = Math.min(await this.fill.bytesAfter(this.#offset), wanted, pieceSize)
      if (there > 0) {
        const buffer = Buffer.allocUnsafe(there)
        const {bytesRead} = await this.file.read(buffer, 0, there, this.#offset)
        if (bytesRead > 0) return buffer.subarray(0, bytesRead)
      }
      this.#rest = await this.source.open({start: this.#offset, end: this.range.end})
      if (this.destroyed) this.#rest.destroy()
      this.#pieces = this.#rest[Symbol.asyncIterator]() as AsyncIterator<Buffer>
    }
    const piece = await this.#pieces.next()
    return piece.done ? undefined : piece.value
  }
}
