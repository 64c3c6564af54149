import {Readable} from 'node:stream'
import {setTimeout as sleep} from 'node:timers/promises'
import {StorageFailed, Unavailable} from '../../errors.js'
import {isPreconditionFailed, s3Failure, statusOf} from './errors.js'
import {parseHead, type Head} from './head.js'
import {atObject, describeObject, type S3Place} from './place.js'
import {askForLittle, askQuickly} from './quick-request.js'
import {smallSize} from '../small-body.js'
import type {ByteRange} from '../storage.js'

/** What GET answers: the bytes, and of which range they are. */
interface Got extends Head {
  readonly ContentRange: string | undefined
  readonly Body: Readable
}

/** How often a download goes on where its connection broke. */
const resumes = 5

/**
 * A stream that gives all bytes or fails: a connection that breaks is taken up again behind the last byte.
 * @throws {ObjectMissing}
 */
export async function readObject(place: S3Place, key: string, range?: ByteRange): Promise<Readable> {
  const first = await atObject(place, key, "can't be read", () =>
    getObject(place, key, range && `bytes=${range.start}-${range.end}`).catch((error: unknown) => {
      if (range !== undefined && statusOf(error) === 416) return undefined // it begins behind the last byte
      throw error
    }),
  )
  if (first === undefined) return Readable.from([])
  return resumingStream(place, key, first, first.ContentRange === undefined ? 0 : (range?.start ?? 0))
}

/** @param size as it was listed: a small object comes whole. @throws {ObjectMissing} */
export async function fetchObject(place: S3Place, key: string, size: number) {
  const answer = await atObject(place, key, "can't be read", () =>
    size <= smallSize ? getSmallObject(place, key) : getObject(place, key),
  )
  const object = describeObject(key, answer)
  return {object, bytes: 'bytes' in answer ? answer.bytes : resumingStream(place, key, answer, 0)}
}

/** @returns a stream if it is not small any more, or if its connection broke. */
async function getSmallObject(place: S3Place, key: string): Promise<Got | (Head & {readonly bytes: Buffer})> {
  const answer = await askForLittle(place, 'GET', key)
  return answer?.statusCode === 200
    ? {...parseHead(answer.headers), bytes: answer.body}
    : getObjectBySdk(place, key)
}

function resumingStream(place: S3Place, key: string, first: Got, start: number): Readable {
  const stream = Readable.from(bytes(place, key, first, start), {objectMode: false, highWaterMark: 1 << 18})
  // one that is destroyed before it was read would keep its connection for ever
  return stream.once('close', () => first.Body.destroy())
}

async function* bytes(place: S3Place, key: string, first: Got, start: number): AsyncGenerator<Buffer> {
  const end = start + (first.ContentLength ?? 0)
  let position = start
  let answer = first
  for (let failures = 0; ;) {
    try {
      for await (const chunk of answer.Body) {
        position += (chunk as Buffer).length
        yield chunk as Buffer
      }
      if (position === end) return
      throw new Unavailable(`the connection ended after ${position - start} of ${end - start} bytes`)
    } catch (error) {
      failures += 1
      const failure = s3Failure(error, `${place.name}: ${key} can't be read to its end`, place.settings)
      if (failures > resumes || !(failure instanceof Unavailable || isBroken(error))) throw failure
      await sleep(100 * 2 ** failures * (0.5 + Math.random() / 2))
      answer = await resume(place, key, position, end, first.ETag)
    }
  }
}

const isBroken = (error: unknown) =>
  error instanceof Error &&
  /aborted|ECONNRESET|ERR_STREAM_PREMATURE_CLOSE|socket hang up/.test(
    `${error.message} ${'code' in error ? String(error.code) : ''}`,
  )

/** Only of the same object: bytes of two never mix. */
async function resume(place: S3Place, key: string, position: number, end: number, etag: string | undefined) {
  return atObject(place, key, "can't be read to its end", async () => {
    try {
      return await getObject(place, key, `bytes=${position}-${end - 1}`, etag)
    } catch (error) {
      if (!isPreconditionFailed(error)) throw error
      throw new StorageFailed(`${place.name}: ${key} was replaced while it was read`, {cause: error})
    }
  })
}

async function getObject(place: S3Place, key: string, range?: string, etag?: string): Promise<Got> {
  const headers = {...(range !== undefined && {range}), ...(etag !== undefined && {'if-match': etag})}
  const answer = await askQuickly(place, {method: 'GET', key, headers})
  if (answer?.statusCode === (range === undefined ? 200 : 206)) {
    const {headers: found, body} = answer
    return {...parseHead(found), ContentRange: found['content-range'], Body: body}
  }
  answer?.body.destroy()
  return getObjectBySdk(place, key, range, etag)
}

async function getObjectBySdk(place: S3Place, key: string, range?: string, etag?: string): Promise<Got> {
  const {client, GetObjectCommand} = await place.api.sdk()
  const got = await client.send(
    new GetObjectCommand({
      Bucket: place.bucket,
      Key: key,
      ...(range !== undefined && {Range: range}),
      ...(etag !== undefined && {IfMatch: etag}),
    }),
  )
  return {...got, ContentRange: got.ContentRange, Body: got.Body as Readable}
}
