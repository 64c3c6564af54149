import {createHash, timingSafeEqual, type Hash} from 'node:crypto'
import type {IHasher} from 'hash-wasm'
import {InvalidInput} from '../errors.js'

/** Hex, lower case. */
export interface Digests {
  readonly sha256: string
  readonly md5: string
  /** BLAKE2b with 32 bytes of output. Only where it was asked for. */
  readonly blake2_256?: string
}

/** Digests of bytes that pass by. */
export class Digester {
  readonly #sha256: Hash = createHash('sha256')
  readonly #md5: Hash = createHash('md5')
  readonly #blake2: IHasher | undefined
  #size = 0

  /** For SHA-256 and MD5. With BLAKE2: `Digester.open`. */
  constructor(blake2?: IHasher) {
    this.#blake2 = blake2
  }

  /** OpenSSL of Node 20 has no BLAKE2b of 256 bits, and loading one takes a moment. */
  static async open({blake2 = false}: {blake2?: boolean} = {}): Promise<Digester> {
    if (!blake2) return new Digester()
    const {createBLAKE2b} = await import('hash-wasm')
    return new Digester((await createBLAKE2b(256)).init())
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size
  }

  update(chunk: Uint8Array): this {
    this.#size += chunk.byteLength
    this.#sha256.update(chunk)
    this.#md5.update(chunk)
    this.#blake2?.update(chunk)
    return this
  }

  /** Once, at the end. */
  digest(): Digests {
    return {
      sha256: this.#sha256.digest('hex'),
      md5: this.#md5.digest('hex'),
      ...(this.#blake2 && {blake2_256: this.#blake2.digest('hex')}),
    }
  }
}

/** Digests and size, in bytes, of what a stream gives. */
export async function hashStream(
  stream: AsyncIterable<unknown> | Iterable<unknown>,
  options: {blake2?: boolean} = {},
): Promise<Digests & {readonly size: number}> {
  const digester = await Digester.open(options)
  for await (const chunk of stream) digester.update(chunk as Buffer)
  return {...digester.digest(), size: digester.size}
}

/**
 * Compares digests that a client claims, in hex of either case (or urlsafe base64: MD5 and BLAKE2), with those of what arrived.
 * Empty claims say nothing. @throws {InvalidInput} naming the digest, what was claimed and what is.
 */
export function checkDigests(
  claimed: {readonly [K in keyof Digests]?: string | undefined},
  actual: Digests,
): void {
  for (const kind of ['sha256', 'md5', 'blake2_256'] as const) {
    const claim = claimed[kind]?.trim() ?? ''
    const found = actual[kind]
    if (claim === '' || found === undefined) continue
    if (!sameDigest(claim, found, kind !== 'sha256'))
      throw new InvalidInput(
        `The ${kind} digest of the form, ${claim.slice(0, 100)}, is not that of the file that arrived, ${found}.`,
        {hint: 'The file was changed on its way or the form belongs to another one: upload it again.'},
      )
  }
}

function sameDigest(claim: string, hex: string, base64Too: boolean): boolean {
  const bytes = Buffer.from(hex, 'hex')
  const claimedBytes = parseDigest(claim, bytes.length, base64Too)
  return claimedBytes !== undefined && timingSafeEqual(claimedBytes, bytes)
}

/** The bytes of a digest in hex or, where allowed, base64 of either alphabet; undefined for anything else. */
function parseDigest(text: string, length: number, base64Too: boolean): Buffer | undefined {
  if (text.length === length * 2 && /^[0-9a-f]*$/i.test(text)) return Buffer.from(text, 'hex')
  if (!base64Too || !/^[a-z0-9_+/-]+={0,2}$/i.test(text)) return undefined
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === length ? bytes : undefined
}

/** Whether two hex digests are equal, in a time that doesn't tell where they differ. */
export function equalDigests(a: string, b: string): boolean {
  const bytesA = Buffer.from(a.toLowerCase())
  const bytesB = Buffer.from(b.toLowerCase())
  return bytesA.length === bytesB.length && timingSafeEqual(bytesA, bytesB)
}
