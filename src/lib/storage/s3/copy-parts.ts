import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  HeadObjectCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import pLimit from 'p-limit'
import {confirmBytes} from './confirm.js'
import type {Copying, S3Object} from './copy.js'
import type {S3Place} from './place.js'

/** Parts that the service copies at the same time. */
const partsAtOnce = 8

/**
 * Copies what is too large for one request in the parts in which it was once uploaded: then the copy has the same ETag,
 * which is made of the digests of its parts.
 * @returns false where nothing tells those parts, or where the ETag is no digest.
 */
export async function copyInParts(
  source: S3Object,
  place: S3Place,
  {CopySource, CopySourceIfMatch, IfNoneMatch, ...target}: Copying,
  {size, etag}: {readonly size: number; readonly etag: string},
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const partSize = await partSizeOf(source, size, etag)
  if (partSize === undefined) return false
  const {client} = await place.api.sdk()
  const whole = {Bucket: target.Bucket, Key: target.Key}
  const {UploadId} = await client.send(new CreateMultipartUploadCommand(target))
  const copyPart = async (index: number) => {
    signal?.throwIfAborted()
    const [start, end] = [index * partSize, Math.min(size, (index + 1) * partSize) - 1]
    const part = {PartNumber: index + 1, CopySourceRange: `bytes=${start}-${end}`}
    // never cut short: the service would go on with the part, and keep it after the upload has been ended
    const {CopyPartResult: copied} = await client.send(
      new UploadPartCopyCommand({...whole, UploadId, CopySource, CopySourceIfMatch, ...part}),
    )
    return {PartNumber: part.PartNumber, ETag: copied?.ETag}
  }
  const limit = pLimit({concurrency: partsAtOnce, rejectOnClear: true})
  const indices = Array.from({length: Math.ceil(size / partSize)}, (_, index) => index)
  const copies = indices.map(index => limit(copyPart, index))
  try {
    const parts = await Promise.all(copies)
    signal?.throwIfAborted()
    const {ETag: joined} = await client.send(
      new CompleteMultipartUploadCommand({...whole, UploadId, IfNoneMatch, MultipartUpload: {Parts: parts}}),
    )
    await confirmBytes(place, target.Key, joined, {etag, partSize})
    return true
  } catch (error) {
    limit.clearQueue()
    await Promise.allSettled(copies) // what comes in after the end would stay for ever
    await client.send(new AbortMultipartUploadCommand({...whole, UploadId})).catch(() => undefined)
    throw error
  }
}

/** Bytes of every part but the last, which may be shorter. */
async function partSizeOf(
  {place: {api, bucket}, key}: S3Object,
  size: number,
  etag: string,
): Promise<number | undefined> {
  const parts = Number(/^[0-9a-f]{32}-(\d+)$/.exec(etag)?.[1] ?? 0)
  if (parts === 0) return undefined
  const {client} = await api.sdk()
  const first = await client.send(new HeadObjectCommand({Bucket: bucket, Key: key, PartNumber: 1}))
  const {ContentLength: partSize = 0, ServerSideEncryption: encryption = ''} = first
  const isDigest = !encryption.startsWith('aws:kms')
  return isDigest && partSize > 0 && Math.ceil(size / partSize) === parts ? partSize : undefined
}
