import {ListObjectsV2Command, type ListObjectsV2CommandOutput} from '@aws-sdk/client-s3'
import {s3Failure} from './errors.js'
import {fingerprintOf, isOurs, type S3Place} from './place.js'
import type {ListedObject, Oddity} from '../storage.js'

/** All objects whose key begins with `prefix`, without metadata, which a listing does not tell. */
export async function* listObjects(place: S3Place, prefix: string): AsyncGenerator<ListedObject | Oddity> {
  let coming: Promise<ListObjectsV2CommandOutput> | undefined = askPage(place, prefix, undefined)
  try {
    while (coming !== undefined) {
      const page: ListObjectsV2CommandOutput = await coming
      // the next page is on its way while this one is worked on
      coming = page.IsTruncated ? askPage(place, prefix, page.NextContinuationToken) : undefined
      for (const {
        Key: key,
        Size: size = 0,
        LastModified: modified = new Date(0),
        ETag: etag,
      } of page.Contents ?? []) {
        if (key === undefined || isOurs(key)) continue
        if (key.endsWith('/')) yield {key, reason: 'is a folder that some tool has made, without a file'}
        else yield {key, size, modified, fingerprint: fingerprintOf(etag, size, modified)}
      }
    }
  } catch (error) {
    throw s3Failure(error, `${place.name} can't be listed`, place.settings)
  }
}

function askPage({client, bucket}: S3Place, prefix: string, token: string | undefined) {
  const page = client.send(
    new ListObjectsV2Command({
      Bucket: bucket,
      ...(prefix !== '' && {Prefix: prefix}),
      ...(token !== undefined && {ContinuationToken: token}),
    }),
  )
  page.catch(() => undefined) // it is awaited in its turn, or not at all
  return page
}
