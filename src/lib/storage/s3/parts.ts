import {CompleteMultipartUploadCommand, UploadPartCommand, type S3Client} from '@aws-sdk/client-s3'
import {Upload} from '@aws-sdk/lib-storage'
import {BlockReader} from '../block-reader.js'
import {digestOfParts, md5, type Digest} from './confirm.js'
import type {PutInput} from './quick-put.js'
import type {Body} from '../storage.js'

/** Stands for bytes of a body that nobody has read yet. Upload cuts it into parts as if they were there. */
class UnreadBytes extends Uint8Array {
  override readonly byteLength: number

  constructor(
    readonly start: number,
    readonly end: number,
  ) {
    super(0)
    this.byteLength = end - start
  }

  override subarray(from = 0, to = this.byteLength): UnreadBytes {
    return new UnreadBytes(this.start + from, Math.min(this.start + to, this.end))
  }
}

/**
 * Sends for Upload. A part is read only when it is sent, into memory that the parts before it have left: joining the chunks
 * of a stream, as Upload does it, leaves twice the object to the collector. Every part goes with its digest, so that the
 * service itself refuses damaged bytes.
 */
class PartSender {
  readonly config: S3Client['config']
  /** All parts are there, and what comes of the last request is not known yet. */
  isCompleting = false
  readonly #client: S3Client
  readonly #reader: BlockReader
  readonly #signal: AbortSignal | undefined
  readonly #digests: Buffer[] = []
  readonly #memories: Buffer[] = []
  /** Parts are read one after the other, in the order in which they were asked for. */
  #lastRead: Promise<unknown> = Promise.resolve()
  #nextStart = 0

  constructor(client: S3Client, body: Body, signal: AbortSignal | undefined) {
    this.config = client.config
    this.#client = client
    this.#reader = new BlockReader(body, signal)
    this.#signal = signal
  }

  /** A body that breaks must not leave its parts behind: what clears up is not stopped by the signal. */
  send(command: Parameters<S3Client['send']>[0]): Promise<unknown> {
    if (command instanceof UploadPartCommand) return this.#sendPart(command)
    if (command instanceof CompleteMultipartUploadCommand) {
      this.#signal?.throwIfAborted()
      this.isCompleting = true
    }
    return this.#client.send(command)
  }

  digest(partSize: number): Digest {
    return digestOfParts(this.#digests, partSize)
  }

  close(): void {
    this.#reader.close()
  }

  async #sendPart(command: UploadPartCommand): Promise<unknown> {
    const {input} = command
    const {start, end} = input.Body as unknown as UnreadBytes
    if (start !== this.#nextStart) throw new Error('parts of an upload are out of order')
    this.#nextStart = end
    const size = end - start
    const memory = this.#memories.pop() ?? Buffer.allocUnsafeSlow(size)
    const reading = this.#lastRead.then(() => this.#reader.read(size, memory))
    this.#lastRead = reading
    const bytes = await reading
    const digest = md5(bytes)
    this.#digests.push(digest)
    input.Body = bytes
    input.ContentMD5 = digest.toString('base64')
    const answer = await this.#client.send(command, {...(this.#signal && {abortSignal: this.#signal})})
    this.#memories.push(memory)
    return answer
  }
}

export interface PartsSent {
  readonly etag: string | undefined
  readonly digest: Digest
  /** The last request failed, which may have joined the parts all the same. */
  readonly unknown?: {readonly error: unknown}
}

/** Sends an object that nobody sees before the last request joins its parts. @throws what broke it before that. */
export async function sendParts(
  client: S3Client,
  body: Body,
  params: PutInput,
  how: {
    /** Bytes. */
    readonly partSize: number
    readonly partsAtOnce: number
    readonly signal: AbortSignal | undefined
  },
): Promise<PartsSent> {
  const sender = new PartSender(client, body, how.signal)
  try {
    const upload = new Upload({
      client: sender as unknown as S3Client, // all of a client that Upload uses
      params: {...params, Body: new UnreadBytes(0, body.size), ContentLength: body.size},
      partSize: how.partSize,
      queueSize: how.partsAtOnce,
    })
    const {ETag: etag} = await upload.done()
    return {etag, digest: sender.digest(how.partSize)}
  } catch (error) {
    if (!sender.isCompleting) throw error
    return {etag: undefined, digest: sender.digest(how.partSize), unknown: {error}}
  } finally {
    sender.close()
  }
}
