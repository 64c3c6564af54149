import type {PutObjectCommandInput} from '@aws-sdk/client-s3'
import {metadataPrefix} from './head.js'
import type {S3Place} from './place.js'
import {askQuickly} from './quick-request.js'

/** What an object is stored with, of all that the SDK could send. */
export type PutInput = Pick<
  PutObjectCommandInput,
  | 'ACL'
  | 'Bucket'
  | 'ContentType'
  | 'IfMatch'
  | 'IfNoneMatch'
  | 'Key'
  | 'Metadata'
  | 'ServerSideEncryption'
  | 'SSEKMSKeyId'
  | 'StorageClass'
>

/** Not done: the SDK is to try; what was sent may have arrived. Refused: for its condition. */
type QuickPut =
  | {readonly isDone: true; readonly etag: string | undefined}
  | {readonly isDone: false; readonly isRefused: boolean; readonly mayHaveArrived: boolean}

/** Puts an object by one quick request. @param contentMd5 in base64. */
export async function putQuickly(
  place: S3Place,
  {Key: key = '', Metadata: metadata = {}, ...input}: PutInput,
  content: Buffer,
  contentMd5: string,
  signal?: AbortSignal,
): Promise<QuickPut> {
  const headers = {
    'content-type': input.ContentType ?? 'application/octet-stream', // as the SDK says
    'content-md5': contentMd5,
    ...Object.fromEntries(Object.entries(metadata).map(([name, value]) => [metadataPrefix + name, value])),
    ...(input.IfMatch && {'if-match': input.IfMatch}),
    ...(input.IfNoneMatch && {'if-none-match': input.IfNoneMatch}),
    ...(input.ACL && {'x-amz-acl': input.ACL}),
    ...(input.StorageClass && {'x-amz-storage-class': input.StorageClass}),
    ...(input.ServerSideEncryption && {'x-amz-server-side-encryption': input.ServerSideEncryption}),
    ...(input.SSEKMSKeyId && {'x-amz-server-side-encryption-aws-kms-key-id': input.SSEKMSKeyId}),
  }
  const answer = await askQuickly(place, {method: 'PUT', key, headers, content, signal})
  answer?.body.resume()
  if (answer?.statusCode === 200) return {isDone: true, etag: answer.headers['etag']}
  return {isDone: false, isRefused: answer?.statusCode === 412, mayHaveArrived: answer === undefined}
}
