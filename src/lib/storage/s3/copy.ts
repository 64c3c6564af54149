import {CopyObjectCommand} from '@aws-sdk/client-s3'
import {StorageFailed} from '../../errors.js'
import {confirmBytes} from './confirm.js'
import {isPreconditionFailed, isWriteConflict, statusOf} from './errors.js'
import {formatS3Metadata} from './metadata.js'
import {atObject, findObject, headObject, type S3Place} from './place.js'
import {protectionOf} from './protection.js'
import {alreadyThere} from './put.js'
import type {PutOptions, StoredObject} from '../storage.js'

/** What one request copies: 5 GB. */
const largestCopy = 5 * 1024 ** 3

/**
 * Copies inside the service, with the metadata of `options`.
 * @returns undefined where the service does not allow it, or where nothing tells the digest of the copied bytes.
 */
export async function copyObject(
  source: S3Place,
  sourceKey: string,
  target: S3Place,
  key: string,
  options: PutOptions,
  conditional: boolean,
): Promise<StoredObject | undefined> {
  const original = await headObject(source, sourceKey)
  const [etag = ''] = original.fingerprint.split('.')
  const md5 = [etag, options.metadata?.['hash_md5'], original.metadata['hash-md5']].find(text =>
    /^[0-9a-f]{32}$/.test(text ?? ''),
  )
  if (md5 === undefined || original.size > largestCopy) return undefined
  // not every service that keeps to conditions does so for copies
  if (!options.replace && (await findObject(target, key))) throw alreadyThere(key)
  const copy = new CopyObjectCommand({
    Bucket: target.bucket,
    Key: key,
    CopySource: `${source.bucket}/${sourceKey.split('/').map(encodeURIComponent).join('/')}`,
    CopySourceIfMatch: `"${etag}"`,
    MetadataDirective: 'REPLACE',
    Metadata: formatS3Metadata(options.metadata ?? {}),
    ...protectionOf(target.settings.values),
    ...(!options.replace && conditional && {IfNoneMatch: '*'}),
  })
  const {signal} = options
  return atObject(target, key, 'was not copied', async () => {
    try {
      const {CopyObjectResult: result} = await target.client.send(copy, {
        ...(signal && {abortSignal: signal}),
      })
      await confirmBytes(target, key, result?.ETag, {etag: md5})
      return await headObject(target, key)
    } catch (error) {
      if (isPreconditionFailed(error) && !options.replace && (await findObject(target, key))) {
        throw alreadyThere(key, error)
      }
      if (isPreconditionFailed(error))
        throw new StorageFailed(`${sourceKey} was replaced while it was copied`)
      if (isWriteConflict(error) || [400, 403, 405, 501].includes(statusOf(error) ?? 0)) return undefined
      throw error
    }
  })
}
