import {CopyObjectCommand, type CopyObjectCommandInput} from '@aws-sdk/client-s3'
import {StorageFailed} from '../../errors.js'
import {confirmBytes} from './confirm.js'
import {copyInParts} from './copy-parts.js'
import {attemptsOf, isPreconditionFailed, isWriteConflict, statusOf} from './errors.js'
import {formatS3Metadata} from './metadata.js'
import {atObject, findObject, headObject, type S3Place} from './place.js'
import {protectionOf} from './protection.js'
import {alreadyThere, isAsSent} from './put.js'
import {encodeKey} from './sign-url.js'
import type {PutOptions, StoredObject} from '../storage.js'

/** An object that is there, or is to be. */
export interface S3Object {
  readonly place: S3Place
  readonly key: string
}
export interface S3CopyOptions extends PutOptions {
  /** Whether the service keeps to `If-None-Match`. */
  readonly conditional: boolean
  /** Bytes. What is larger is copied in parts: one request copies 5 GB. */
  readonly largestAtOnce?: number
}
/** What says the same whichever way the bytes are copied. */
export type Copying = Pick<
  CopyObjectCommandInput & {Bucket: string; Key: string},
  'Bucket' | 'Key' | 'CopySource' | 'CopySourceIfMatch' | 'Metadata' | 'IfNoneMatch'
> &
  ReturnType<typeof protectionOf>

/**
 * Copies inside the service, with the metadata of `options`.
 * @returns undefined where the service does not allow it, or where nothing tells the digest of the copied bytes.
 */
export async function copyObject(
  source: S3Object,
  {place, key}: S3Object,
  options: S3CopyOptions,
): Promise<StoredObject | undefined> {
  const {replace, conditional, metadata = {}, largestAtOnce = 5 * 1024 ** 3, signal} = options
  const original = await headObject(source.place, source.key)
  const [etag = ''] = original.fingerprint.split('.')
  const inParts = original.size > largestAtOnce
  // all at once it gets an ETag without parts, in parts the one that it has
  const digest = inParts
    ? etag
    : [etag, metadata['hash_md5'], original.metadata['hash-md5']].find(text => isMd5(text ?? ''))
  if (digest === undefined) return undefined
  // not every service that keeps to conditions does so for copies
  if (!replace && (await findObject(place, key))) throw alreadyThere(key)
  const copying: Copying = {
    ...{Bucket: place.bucket, Key: key, CopySourceIfMatch: `"${etag}"`},
    CopySource: `${source.place.bucket}/${encodeKey(source.key)}`,
    ...{Metadata: formatS3Metadata(metadata), ...protectionOf(place.settings.values)},
    ...(!replace && conditional && {IfNoneMatch: '*'}),
  }
  return atObject(place, key, 'was not copied', async () => {
    try {
      const isCopied = inParts
        ? await copyInParts(source, place, copying, {size: original.size, etag}, signal)
        : await copyAtOnce(place, copying, digest, signal)
      return isCopied ? await headObject(place, key) : undefined
    } catch (error) {
      if (isPreconditionFailed(error) && !replace && (await findObject(place, key))) {
        // the answer to a first attempt may have been lost
        const isOurs = attemptsOf(error) > 1 && (await isAsSent(place, copying, digest))
        if (isOurs) return headObject(place, key)
        throw alreadyThere(key, error)
      }
      if (isPreconditionFailed(error))
        throw new StorageFailed(`${source.key} was replaced while it was copied`)
      if (isWriteConflict(error) || [400, 403, 405, 501].includes(statusOf(error) ?? 0)) return undefined
      throw error
    }
  })
}

const isMd5 = (text: string) => /^[0-9a-f]{32}$/.test(text)

async function copyAtOnce(
  place: S3Place,
  copying: Copying,
  md5: string,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const copy = new CopyObjectCommand({...copying, MetadataDirective: 'REPLACE'})
  const {client} = await place.api.sdk()
  const {CopyObjectResult: result} = await client.send(copy, {...(signal && {abortSignal: signal})})
  await confirmBytes(place, copying.Key, result?.ETag, {etag: md5})
  return true
}
