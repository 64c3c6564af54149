import type {HeadObjectCommandOutput} from '@aws-sdk/client-s3'
import {missingObjectError} from './errors.js'
import type {S3Place} from './place.js'
import {askForLittle} from './quick-request.js'
import type {AnswerHead} from './small-answer.js'

export type Head = Pick<HeadObjectCommandOutput, 'ContentLength' | 'LastModified' | 'ETag' | 'Metadata'>

export const metadataPrefix = 'x-amz-meta-'

/** What HEAD answers. @throws what the SDK throws. */
export async function head(place: S3Place, key: string): Promise<Head> {
  const answer = await askForLittle(place, 'HEAD', key)
  if (answer?.statusCode === 200) return parseHead(answer.headers)
  if (answer?.statusCode === 404) throw missingObjectError()
  const {client, HeadObjectCommand} = await place.api.sdk()
  return client.send(new HeadObjectCommand({Bucket: place.bucket, Key: key}))
}

export function parseHead(headers: AnswerHead['headers']): Head {
  const metadata: Record<string, string> = {}
  for (const name in headers) {
    if (name.startsWith(metadataPrefix)) metadata[name.slice(metadataPrefix.length)] = headers[name] ?? ''
  }
  return {
    ContentLength: Number(headers['content-length']),
    LastModified: new Date(headers['last-modified'] ?? 0),
    ETag: headers['etag'],
    Metadata: metadata,
  }
}
