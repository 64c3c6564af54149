import {Readable} from 'node:stream'

/** Bytes. Up to here all of an object is held at once, as most wheels are small and streams cost more than they do. */
export const smallSize = 1 << 17

/** All bytes of something: small ones at once. */
export type Bytes = Buffer | Readable

export const wholeOf = (bytes: Bytes): Promise<Buffer> =>
  bytes instanceof Readable ? collect(bytes) : Promise.resolve(bytes)

export const chunksOf = (bytes: Bytes): AsyncIterable<Buffer> | Iterable<Buffer> =>
  bytes instanceof Readable ? (bytes as AsyncIterable<Buffer>) : [bytes]

/** All bytes of a stream. @throws what breaks it, also when it is destroyed before its end. */
export function collect(stream: Readable): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    const close = () => {
      if (!stream.readableEnded) reject(new Error('the stream was closed before its end'))
    }
    if (stream.destroyed) {
      close()
      return
    }
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.once('error', reject).once('close', close)
    stream.once('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)))
  })
}

/** Bytes that are here, as a stream. Cheaper than one that reads when it is asked. */
export function streamOf(bytes: Buffer): Readable {
  const stream = new Readable({read: () => undefined})
  if (bytes.length > 0) stream.push(bytes)
  stream.push(null)
  return stream
}
