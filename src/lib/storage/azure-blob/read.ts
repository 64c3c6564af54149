import type {BlobClient} from '@azure/storage-blob'
import {Readable} from 'node:stream'
import {Unavailable} from '../../errors.js'
import {azureFailure, azureStatus, type AzureSettings} from './errors.js'
import {withRetries} from './retry.js'
import type {ByteRange} from '../storage.js'

/** How often a download that was cut is taken up again without a byte in between. */
const mostResumptions = 5
/** Seconds without a byte after which a connection counts as cut. */
const silence = 60

/**
 * The bytes of a blob. A body that ends early or stalls is taken up where it stopped, of the same version of the blob; the
 * SDK's own resumption does not survive a connection that is cut.
 * @throws what the SDK throws, before the first byte.
 */
export async function openBlob(
  blob: BlobClient,
  range: ByteRange | undefined,
  settings: AzureSettings,
): Promise<Readable> {
  const start = range?.start ?? 0
  const count = range === undefined ? undefined : range.end - range.start + 1
  if (count !== undefined && count <= 0) return Readable.from([])
  let first
  try {
    first = await withRetries(({abortSignal}) =>
      blob.download(start, count, {abortSignal, maxRetryRequests: 0}),
    )
  } catch (error) {
    if (azureStatus(error) === 416) return Readable.from([]) // begins behind the last byte
    throw error
  }
  const {etag, contentLength = 0, readableStreamBody} = first
  return new BlobRead(bodyOf(readableStreamBody), contentLength, {
    openAt: async offset => {
      const conditions = etag === undefined ? {} : {ifMatch: etag}
      const next = await withRetries(({abortSignal}) =>
        blob.download(start + offset, contentLength - offset, {abortSignal, conditions, maxRetryRequests: 0}),
      )
      return bodyOf(next.readableStreamBody)
    },
    failure: error => azureFailure(error, `${blob.name} can't be read to its end`, settings) as Error,
  })
}

/** The SDK promises less than it gives on Node. */
const bodyOf = (stream: NodeJS.ReadableStream | undefined): Readable =>
  stream instanceof Readable ? stream : Readable.from([])

interface Resumption {
  /** @param offset bytes that have been read. */
  openAt(offset: number): Promise<Readable>
  /** What the reader is told. */
  failure(error: unknown): Error
}

class BlobRead extends Readable {
  #source: Readable | undefined
  readonly #size: number
  readonly #resumption: Resumption
  #offset = 0
  #resumed = 0
  #silent: NodeJS.Timeout | undefined

  constructor(source: Readable, size: number, resumption: Resumption) {
    super({highWaterMark: 1 << 18})
    this.#size = size
    this.#resumption = resumption
    this.#follow(source)
  }

  override _read(): void {
    this.#source?.resume()
    this.#silent?.refresh()
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearTimeout(this.#silent)
    this.#source?.destroy()
    callback(error)
  }

  #follow(source: Readable): void {
    this.#source = source
    let isOver = false
    const over = (error?: Error) => {
      if (isOver || this.#source !== source) return
      isOver = true
      clearTimeout(this.#silent)
      this.#ended(error)
    }
    this.#silent = setTimeout(() => {
      if (source.isPaused()) return // the reader is slow, not the service
      over()
      source.destroy()
    }, silence * 1000).unref()
    source.on('data', (bytes: Buffer) => {
      if (isOver) return
      this.#offset += bytes.length
      this.#resumed = 0
      this.#silent?.refresh()
      if (!this.push(bytes)) source.pause()
    })
    source.once('end', () => over())
    source.on('error', over)
    source.once('close', () => over())
  }

  #ended(cause: Error | undefined): void {
    if (this.destroyed) return
    if (this.#offset === this.#size) {
      this.push(null)
      return
    }
    if (this.#resumed === mostResumptions || this.#offset > this.#size) {
      const message = `the answer ended after ${this.#offset} of ${this.#size} bytes`
      this.destroy(new Unavailable(message, {cause}))
      return
    }
    this.#resumed += 1
    this.#resumption.openAt(this.#offset).then(
      source => (this.destroyed ? source.destroy() : this.#follow(source)),
      (error: unknown) => this.destroy(this.#resumption.failure(error)),
    )
  }
}
