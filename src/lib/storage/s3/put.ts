import {setTimeout as sleep} from 'node:timers/promises'
import {StorageFailed} from '../../errors.js'
import {readWhole} from '../block-reader.js'
import {ByteBudget} from '../byte-budget.js'
import {confirmBytes, md5, type Digest} from './confirm.js'
import {isPreconditionFailed, isWriteConflict, attemptsOf} from './errors.js'
import {formatS3Metadata, parseS3Metadata} from './metadata.js'
import {largestObject, partBudget, partsOf} from './part-sizes.js'
import {atObject, describeObject, findObject, headObject, plainEtag, type S3Place} from './place.js'
import {protectionOf} from './protection.js'
import {putQuickly, type PutInput} from './quick-put.js'
import {ObjectExists, type Body, type PutOptions, type StoredObject} from '../storage.js'

const MiB = 1 << 20
/** Up to here an object is sent at once, which can be tried again as a whole. */
const largestAtOnce = 8 * MiB
/** Of all uploads together: what is in memory can be sent again. */
const budget = new ByteBudget(partBudget)

/** What came of sending an object. */
interface Sent {
  readonly etag: string | undefined
  readonly digest: Digest
}

/**
 * Stores an object whole or not at all. A small one is one request, a large one is sent in parts that nobody sees before
 * the last request joins them.
 * @param conditional whether the service keeps to `If-None-Match`; otherwise somebody else has to decide who is first.
 * @throws {ObjectExists}
 */
export async function putObject(
  place: S3Place,
  key: string,
  body: Body,
  options: PutOptions,
  conditional: boolean,
): Promise<StoredObject> {
  if (body.size > largestObject) throw new StorageFailed(`${key} is larger than the 5 TB that S3 takes`)
  if (!options.replace && !conditional && (await findObject(place, key))) throw alreadyThere(key)
  const params: PutInput = {
    Bucket: place.bucket,
    Key: key,
    Metadata: formatS3Metadata(options.metadata ?? {}),
    ...protectionOf(place.settings.values),
    ...(!options.replace && conditional && {IfNoneMatch: '*'}),
  }
  const {etag, digest} = await atObject(place, key, 'was not stored', () =>
    sendAgain(place, body, params, options),
  )
  await confirmBytes(place, key, etag, digest)
  if (!options.unlisted) return headObject(place, key)
  const {Metadata} = params
  return describeObject(key, {ETag: etag, ContentLength: body.size, LastModified: new Date(), Metadata})
}

export const alreadyThere = (key: string, cause?: unknown) =>
  new ObjectExists(`${key} is already stored`, {cause})

/** Where two writers met in the same moment, the service asks both to try again. */
async function sendAgain(place: S3Place, body: Body, params: PutInput, options: PutOptions): Promise<Sent> {
  for (let attempt = 0; ; attempt += 1) {
    options.signal?.throwIfAborted()
    try {
      return await (body.size <= largestAtOnce ? sendAtOnce : sendInParts)(place, body, params, options)
    } catch (error) {
      if (!isWriteConflict(error) || attempt === 8) throw error
      await sleep(50 * 2 ** attempt * Math.random())
    }
  }
}

async function sendAtOnce(place: S3Place, body: Body, params: PutInput, {signal}: PutOptions): Promise<Sent> {
  const giveBack = await budget.take(body.size, signal)
  try {
    const bytes = await readWhole(body, signal)
    const digest = md5(bytes)
    const contentMd5 = digest.toString('base64')
    const sent = {etag: digest.toString('hex')}
    const quick = await putQuickly(place, params, bytes, contentMd5, signal)
    if (quick.isDone) return {etag: quick.etag, digest: sent}
    if (quick.isRefused) throw alreadyThere(params.Key ?? '')
    const {client, PutObjectCommand} = await place.api.sdk()
    const put = new PutObjectCommand({...params, Body: bytes, ContentMD5: contentMd5})
    try {
      const {ETag: etag} = await client.send(put, {...(signal && {abortSignal: signal})})
      return {etag, digest: sent}
    } catch (error) {
      return await landed(place, params, sent, {error, isFirstWord: !quick.mayHaveArrived})
    }
  } finally {
    giveBack()
  }
}

async function sendInParts(
  place: S3Place,
  body: Body,
  params: PutInput,
  {signal}: PutOptions,
): Promise<Sent> {
  const {partSize, partsAtOnce} = partsOf(body.size)
  const giveBack = await budget.take(partsAtOnce * partSize, signal)
  try {
    const [{client}, {sendParts}] = await Promise.all([place.api.sdk(), import('./parts.js')])
    const {etag, digest, unknown} = await sendParts(client, body, params, {partSize, partsAtOnce, signal})
    return unknown === undefined
      ? {etag, digest}
      : await landed(place, params, digest, {error: unknown.error, isFirstWord: true})
  } finally {
    giveBack()
  }
}

/**
 * A request that broke after it had arrived looks like a failure, and tried again like somebody else's object. Whether
 * this very object, its bytes and its metadata, is there decides.
 */
async function landed(
  place: S3Place,
  params: PutInput,
  digest: Digest,
  {error, isFirstWord}: {readonly error: unknown; readonly isFirstWord: boolean},
): Promise<Sent> {
  const isSomebodyElses = isFirstWord && isPreconditionFailed(error) && attemptsOf(error) === 1
  if (!isSomebodyElses && (await isAsSent(place, params, digest.etag))) return {etag: digest.etag, digest}
  throw isPreconditionFailed(error) ? alreadyThere(params.Key ?? '', error) : error
}

/** Whether an object has that ETag and the metadata that was to be sent with it. */
export async function isAsSent(
  place: S3Place,
  {Key: key = '', Metadata: metadata = {}}: Pick<PutInput, 'Key' | 'Metadata'>,
  etag: string,
): Promise<boolean> {
  const found = await findObject(place, key).catch(() => undefined) // the first failure is the one to report
  if (found === undefined || plainEtag(found.fingerprint.split('.')[0]) !== etag) return false
  const sent = parseS3Metadata(metadata)
  return Object.keys(sent).every(name => found.metadata[name]?.trim() === sent[name]?.trim())
}
