import {text} from 'node:stream/consumers'
import {s3Failure} from './errors.js'
import {parseListPage, type ListPage} from './list-page.js'
import {fingerprintOf, isOurs, type S3Place} from './place.js'
import {askQuickly} from './quick-request.js'
import type {ListedObject, Oddity} from '../storage.js'

/** All objects whose key begins with `prefix`, without metadata, which a listing does not tell. */
export async function* listObjects(place: S3Place, prefix: string): AsyncGenerator<ListedObject | Oddity> {
  let coming: Promise<ListPage> | undefined = askPage(place, prefix, undefined)
  try {
    while (coming !== undefined) {
      const page: ListPage = await coming
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

function askPage(place: S3Place, prefix: string, token: string | undefined): Promise<ListPage> {
  const page = readPage(place, prefix, token)
  page.catch(() => undefined) // it is awaited in its turn, or not at all
  return page
}

/** @throws what the SDK throws, which knows what to say and tries several times. */
async function readPage(place: S3Place, prefix: string, token: string | undefined): Promise<ListPage> {
  const quick = await readPageQuickly(place, {
    'list-type': '2',
    ...(prefix !== '' && {prefix}),
    ...(token !== undefined && {'continuation-token': token}),
  })
  if (quick !== undefined) return quick
  const {client, ListObjectsV2Command} = await place.api.sdk()
  return client.send(
    new ListObjectsV2Command({
      Bucket: place.bucket,
      ...(prefix !== '' && {Prefix: prefix}),
      ...(token !== undefined && {ContinuationToken: token}),
    }),
  )
}

async function readPageQuickly(
  place: S3Place,
  query: Readonly<Record<string, string>>,
): Promise<ListPage | undefined> {
  const answer = await askQuickly(place, {method: 'GET', key: '', query})
  if (answer?.statusCode === 200)
    return text(answer.body)
      .then(parseListPage)
      .catch(() => undefined)
  answer?.body.resume() // frees the connection
  return undefined
}
