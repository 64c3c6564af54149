import {Readable} from 'node:stream'
import {pipeline} from 'node:stream/promises'
import {crc32, createGunzip} from 'node:zlib'
import {InvalidInput} from '../errors.js'

/** What we use of the optional package `zlib-sync`. */
interface Inflate {
  readonly result: Buffer | null
  readonly err: number
  push(part: Buffer, flush: number): void
}
type InflateClass = new (options: {windowBits: number}) => Inflate

const okay = 0
const streamEnd = 1
const nothingToDo = -5 // Z_BUF_ERROR
/** The only flush that `zlib-sync` is safe with: without one it writes past its buffer. */
const syncFlush = 2
/** The output of one push is unbounded, up to a thousand times this. */
const sliceBytes = 4096
const trailerBytes = 8
const nothing = Buffer.alloc(0)

const damaged = (cause?: unknown): InvalidInput =>
  new InvalidInput('the gzip file is damaged or cut off', {cause})

/** Bytes as they are, or unpacked where they begin as gzip does (RFC 1952 §2.3.1). @throws {InvalidInput} */
export async function* unpackIfGzip(
  input: AsyncIterable<Uint8Array>,
  findInflate: () => Promise<InflateClass | undefined> = loadZlibSync,
): AsyncGenerator<Uint8Array> {
  const chunks = input[Symbol.asyncIterator]()
  let head = Buffer.alloc(0)
  while (head.length < 2) {
    const next = await chunks.next()
    if (next.done === true) break
    head = Buffer.concat([head, next.value])
  }
  const rest = {[Symbol.asyncIterator]: () => chunks}
  const all = async function* () {
    yield head
    yield* rest
  }
  if (head[0] !== 0x1f || head[1] !== 0x8b) return yield* all()
  const inflate = await findInflate()
  yield* inflate ? gunzipWith(inflate, all()) : gunzipWithNode(all())
}

/** Faster by half than Node's own. Absent where it could not be compiled. */
async function loadZlibSync(): Promise<InflateClass | undefined> {
  const name: string = 'zlib-sync' // not known to the compiler: it is optional
  try {
    const module = (await import(name)) as {default: {Inflate: InflateClass}}
    return module.default.Inflate
  } catch {
    return undefined
  }
}

/** By `zlib-sync`, which does not tell where a gzip member ends: its trailer does (RFC 1952 §2.3.1). */
async function* gunzipWith(
  Inflate: InflateClass,
  input: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  let member: Member | undefined
  let padding = false
  for await (const chunk of input) {
    let rest = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length)
    while (rest.length > 0) {
      if (!member) {
        padding ||= rest[0] === 0
        if (padding) {
          if (rest.some(byte => byte !== 0)) throw damaged()
          break
        }
        member = new Member(new Inflate({windowBits: 31}))
      }
      const slice = rest.subarray(0, sliceBytes)
      yield* member.push(slice)
      rest = rest.subarray(member.used)
      if (member.ended) {
        member = undefined
        padding = rest[0] === 0
      }
    }
  }
  if (member) throw damaged()
}

class Member {
  ended = false
  /** Bytes of the last slice that belong to this member. */
  used = 0
  #crc = 0
  #size = 0
  #tail = nothing

  constructor(private readonly inflate: Inflate) {}

  *push(slice: Buffer): Generator<Buffer> {
    let part = slice
    // what does not fit into its buffer comes out by asking again
    for (;;) {
      this.inflate.push(part, syncFlush)
      const {err} = this.inflate
      if (err === nothingToDo) break
      if (err !== okay && err !== streamEnd) throw damaged()
      const {result} = this.inflate
      if (result && result.length > 0) {
        this.#crc = crc32(result, this.#crc)
        this.#size = (this.#size + result.length) >>> 0
        yield result
      }
      if (err === streamEnd) {
        this.ended = true
        break
      }
      part = nothing
    }
    const window = Buffer.concat([this.#tail, slice])
    this.used = this.ended ? this.#findEnd(window) - this.#tail.length : slice.length
    this.#tail = window.subarray(-trailerBytes)
  }

  #findEnd(window: Buffer): number {
    const trailer = Buffer.alloc(trailerBytes)
    trailer.writeUInt32LE(this.#crc, 0)
    trailer.writeUInt32LE(this.#size, 4)
    const ends: number[] = []
    for (let at = window.indexOf(trailer); at >= 0; at = window.indexOf(trailer, at + 1)) {
      const end = at + trailerBytes
      if (end <= this.#tail.length) continue // it would have been found with the slice before
      if (window[end] === 0x1f) return end
      ends.push(end)
    }
    // an empty member ends in zeros, perhaps with a zero before and padding behind them
    const end = this.#crc === 0 && this.#size === 0 ? ends.at(-1) : ends[0]
    if (end === undefined) throw damaged()
    return end
  }
}

async function* gunzipWithNode(input: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const unzip = createGunzip()
  // its failure shows in the loop below
  const piping = pipeline(Readable.from(input, {objectMode: false}), unzip).catch(() => undefined)
  try {
    for await (const chunk of unzip) yield chunk as Buffer
  } catch (error) {
    throw error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')
      ? damaged(error)
      : error
  } finally {
    unzip.destroy()
    await piping
  }
}
