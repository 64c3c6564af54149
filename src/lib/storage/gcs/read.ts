import type {IncomingMessage} from 'node:http'
import {Readable} from 'node:stream'
import {objectPath, pauseAfter, retrying, type GcsApi} from './api.js'
import {CutShort, hasStatus, isTransient} from './errors.js'
import type {ByteRange} from '../storage.js'

/** Answers in a row that bring no byte, before a download is given up. */
const mostFruitless = 4

export interface ReadRequest {
  readonly bucket: string
  readonly key: string
  readonly range?: ByteRange | undefined
}

/** A download that has begun: its headers are there. */
interface Download {
  readonly answer: IncomingMessage
  readonly generation: string | undefined
  /** Offset in the object of the first byte that is to come, and after the last one. */
  readonly start: number
  readonly end: number
}

/** An object, or one generation of it, as it is stored: `contentEncoding = gzip` is not undone on the way. */
function request(
  api: GcsApi,
  {bucket, key, range}: ReadRequest,
  generation: string | undefined,
  signal: AbortSignal,
) {
  return retrying(
    () =>
      api.accepted({
        method: 'GET',
        path: objectPath(bucket, key),
        query: {alt: 'media', generation},
        headers: {
          'accept-encoding': 'gzip',
          ...(range ? {range: `bytes=${range.start}-${Number.isFinite(range.end) ? range.end : ''}`} : {}),
        },
        signal,
      }),
    {signal},
  )
}

/**
 * The bytes of an object. A body that is cut goes on where it ended, in the same generation; it never ends early.
 * @param failure makes the error that the reader gets.
 * @throws {GcsRefusal} here when there is none.
 */
export async function readObject(
  api: GcsApi,
  place: ReadRequest,
  failure: (error: unknown) => unknown,
): Promise<Readable> {
  const stop = new AbortController()
  let answer: IncomingMessage
  try {
    answer = await request(api, place, undefined, stop.signal)
  } catch (error) {
    if (hasStatus(error, 416)) return Readable.from([]) // the object ends before the range begins
    throw error
  }
  const stream = Readable.from(bytesOf(api, place, downloadOf(answer), stop.signal, failure), {
    objectMode: false,
    highWaterMark: 1 << 18,
  })
  // a reader that leaves frees the connection, also while it is silent
  stream.once('close', () => stop.abort())
  return stream
}

async function* bytesOf(
  api: GcsApi,
  place: ReadRequest,
  download: Download,
  signal: AbortSignal,
  failure: (error: unknown) => unknown,
): AsyncGenerator<Buffer> {
  const {generation, start, end} = download
  let {answer} = download
  let at = start
  let fruitless = 0
  try {
    while (at < end) {
      const before = at
      try {
        for await (const part of answer as AsyncIterable<Buffer>) {
          at += part.length
          yield part
        }
        if (at < end) throw new CutShort('the bytes ended early')
      } catch (error) {
        if (at === end) break // all of it is there; only its end was not said
        fruitless = at > before ? 0 : fruitless + 1
        if (!isTransient(error) || generation === undefined || fruitless > mostFruitless) throw error
        if (fruitless > 0) await pauseAfter(fruitless, signal)
        answer = await request(api, {...place, range: {start: at, end: end - 1}}, generation, signal)
      }
    }
  } catch (error) {
    throw failure(error)
  } finally {
    answer.destroy()
  }
}

function downloadOf(answer: IncomingMessage): Download {
  const length = Number(answer.headers['content-length'] ?? answer.headers['x-goog-stored-content-length'])
  if (Number.isNaN(length)) throw new CutShort('the service does not say how long the object is')
  const start = Number(/^bytes (\d+)-/.exec(answer.headers['content-range'] ?? '')?.[1] ?? 0)
  const generation = answer.headers['x-goog-generation']
  return {
    answer,
    generation: typeof generation === 'string' ? generation : undefined,
    start,
    end: start + length,
  }
}
