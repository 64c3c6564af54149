import {createHash, randomUUID} from 'node:crypto'
import {isDeepStrictEqual} from 'node:util'
import {StorageFailed} from '../../errors.js'
import {ByteBudget} from '../byte-budget.js'
import {objectPath, retrying, uploadPath, type GcsApi} from './api.js'
import {chunksOf} from './chunks.js'
import {hasStatus, isMissingObject, isTransient, SessionLost} from './errors.js'
import {fitting, objectFields, queryOf, resourceOf, type GcsObject, type NewObject} from './object.js'
import {ResumableUpload} from './resumable.js'
import type {Body} from '../storage.js'

/**
 * What is sent in one request and kept in memory until it is stored; larger bodies go in parts of this size, a multiple
 * of 256 KiB as the service wants it.
 */
const partSize = 8 << 20
/** Of parts in memory, however many uploads run at the same time. */
const budget = new ByteBudget(8 * partSize)

/**
 * Stores all of `body`, or leaves what was there. A request is sent again when it fails in passing; one that is under way
 * is not broken off by `signal`, since nobody would know what came of it.
 * @throws {GcsRefusal} with 412 when `object.expectedGeneration` is not what is there.
 */
export async function putObject(
  api: GcsApi,
  object: NewObject,
  body: Body,
  signal?: AbortSignal,
): Promise<GcsObject> {
  const release = await budget.take(Math.min(body.size, partSize), signal)
  try {
    for (let sent = 1; ; sent += 1) {
      const {stored, md5} = await send(api, object, body, signal)
      // not told to everybody where keys of the customer encrypt; the service has compared it with ours all the same
      const {md5Hash = md5, size} = stored
      if (md5Hash === md5 && Number(size) === body.size) return stored
      await deleteGeneration(api, object, stored.generation)
      if (sent === 2) throw new StorageFailed('the service holds other bytes than were sent')
    }
  } finally {
    release()
  }
}

interface Put {
  readonly stored: GcsObject
  /** Of what was sent, in base64. */
  readonly md5: string
}

async function send(api: GcsApi, object: NewObject, body: Body, signal?: AbortSignal): Promise<Put> {
  if (body.size <= partSize) return putWhole(api, object, body, signal)
  try {
    return await putInParts(api, object, body, signal)
  } catch (error) {
    if (!(error instanceof SessionLost)) throw error
    return putInParts(api, object, body, signal)
  }
}

async function putWhole(api: GcsApi, object: NewObject, body: Body, signal?: AbortSignal): Promise<Put> {
  let bytes: Buffer = Buffer.alloc(0)
  for await (const chunk of chunksOf(body, partSize, signal)) bytes = chunk.bytes
  const md5 = createHash('md5').update(bytes).digest('base64')
  const boundary = randomUUID()
  const call = {
    method: 'POST',
    path: uploadPath(object.bucket),
    query: {...queryOf(object), uploadType: 'multipart', fields: objectFields},
    headers: {'content-type': `multipart/related; boundary=${boundary}`},
    body: [
      Buffer.from(`--${boundary}\r\ncontent-type: application/json; charset=UTF-8\r\n\r\n`),
      Buffer.from(JSON.stringify({...resourceOf(object), name: object.key, md5Hash: md5})),
      Buffer.from(`\r\n--${boundary}\r\ncontent-type: application/octet-stream\r\n\r\n`),
      bytes,
      Buffer.from(`\r\n--${boundary}--\r\n`),
    ],
  } as const
  const stored = await knowing(api, object, body.size, md5, attempted =>
    retrying(
      number => {
        attempted(number)
        return api.json<GcsObject>(call, {attempts: 1})
      },
      {signal},
    ),
  )
  return {stored, md5}
}

async function putInParts(api: GcsApi, object: NewObject, body: Body, signal?: AbortSignal): Promise<Put> {
  const upload = await ResumableUpload.begin(api, object, body.size, signal)
  const hash = createHash('md5')
  try {
    for await (const chunk of chunksOf(body, partSize, signal)) {
      hash.update(chunk.bytes)
      if (chunk.last) {
        const md5 = hash.digest('base64')
        const stored = await knowing(api, object, body.size, md5, attempted =>
          upload.send(chunk, md5, signal, attempted),
        )
        if (stored) return {stored, md5}
      } else await upload.send(chunk, undefined, signal)
    }
    throw new SessionLost('the service did not finish the upload')
  } catch (error) {
    await upload.cancel().catch(() => undefined) // the service forgets it by itself
    throw error
  }
}

/**
 * Finds out what came of requests whose answers were lost: a second attempt meets the object of the first one, or the
 * last answer never came.
 */
async function knowing<T>(
  api: GcsApi,
  object: NewObject,
  size: number,
  md5: string,
  put: (attempted: (number: number) => void) => Promise<T>,
): Promise<T | GcsObject> {
  let attempts = 0
  try {
    return await put(number => (attempts = number))
  } catch (error) {
    if (!isTransient(error) && !(hasStatus(error, 412) && attempts > 1)) throw error
    const found = await statObject(api, object).catch(() => undefined)
    const isOurs =
      found?.md5Hash === md5 &&
      Number(found.size) === size &&
      isDeepStrictEqual(found.metadata ?? {}, fitting(object.metadata))
    if (found !== undefined && isOurs) return found
    throw error
  }
}

type Place = Pick<NewObject, 'bucket' | 'key'>

export const statObject = (api: GcsApi, {bucket, key}: Place): Promise<GcsObject> =>
  api.json<GcsObject>({method: 'GET', path: objectPath(bucket, key), query: {fields: objectFields}})

/** Deletes what is not there, too. */
export async function deleteObject(api: GcsApi, {bucket, key}: Place): Promise<void> {
  try {
    await api.json({method: 'DELETE', path: objectPath(bucket, key)})
  } catch (error) {
    if (!isMissingObject(error)) throw error
  }
}

/** Takes back what we wrote, unless somebody has replaced it. */
export async function deleteGeneration(api: GcsApi, {bucket, key}: Place, generation: string): Promise<void> {
  await api
    .json({method: 'DELETE', path: objectPath(bucket, key), query: {ifGenerationMatch: generation}})
    .catch(() => undefined) // the failure that brought us here is the one to report
}
