import {setImmediate as nextTurn} from 'node:timers/promises'
import {StorageFailed} from '../../errors.js'
import {s3Failure} from './errors.js'
import {parseListPage, type ListedContents, type ListPage} from './list-page.js'
import {fingerprintOf, isOurs, type S3Place} from './place.js'
import {askQuickly} from './quick-request.js'
import {collect} from '../small-body.js'
import type {ListedObject, Oddity} from '../storage.js'

/** All objects whose key begins with `prefix`, without metadata, which a listing does not tell. */
export async function* listObjects(place: S3Place, prefix: string): AsyncGenerator<ListedObject | Oddity> {
  try {
    for await (const page of pages(place, prefix)) {
      for (const {Key: key, Size: size = 0, LastModified: modified = new Date(0), ETag: etag} of page) {
        if (key === undefined || isOurs(key)) continue
        if (key.endsWith('/')) yield {key, reason: 'is a folder that some tool has made, without a file'}
        else yield {key, size, modified, fingerprint: fingerprintOf(etag, size, modified)}
      }
    }
  } catch (error) {
    throw s3Failure(error, `${place.name} can't be listed`, place.settings)
  }
}

/** The next page is on its way before one is taken apart and worked on. */
async function* pages(place: S3Place, prefix: string): AsyncGenerator<ListedContents> {
  const ask = (token: string | undefined) => {
    const page = readPage(place, prefix, token)
    page.catch(() => undefined) // it is awaited in its turn, or not at all
    return page
  }
  const following = ({nextToken}: ListPage) => (nextToken === undefined ? undefined : ask(nextToken))
  let token: string | undefined
  let coming: Promise<ListPage> | undefined = ask(token)
  while (coming !== undefined) {
    let page: ListPage = await coming
    coming = following(page)
    await nextTurn() // it is sent
    let objects = page.objects()
    if (objects === undefined) {
      page = await readPageBySdk(place, prefix, token)
      coming = following(page) // where that one ends
      objects = page.objects() ?? []
    }
    token = page.nextToken
    yield objects
  }
}

/** @throws what the SDK throws, which knows what to say and tries several times. */
async function readPage(place: S3Place, prefix: string, token: string | undefined): Promise<ListPage> {
  const quick = await readPageQuickly(place, {
    'list-type': '2',
    ...(prefix !== '' && {prefix}),
    ...(token !== undefined && {'continuation-token': token}),
  })
  return quick ?? readPageBySdk(place, prefix, token)
}

async function readPageBySdk(place: S3Place, prefix: string, token: string | undefined): Promise<ListPage> {
  const {client, ListObjectsV2Command} = await place.api.sdk()
  const {
    Contents = [],
    IsTruncated,
    NextContinuationToken,
  } = await client.send(
    new ListObjectsV2Command({
      Bucket: place.bucket,
      ...(prefix !== '' && {Prefix: prefix}),
      ...(token !== undefined && {ContinuationToken: token}),
    }),
  )
  if (IsTruncated && !NextContinuationToken)
    throw new StorageFailed(`${place.name} can't be listed: the service does not say where the list goes on`)
  return {nextToken: IsTruncated ? NextContinuationToken : undefined, objects: () => Contents}
}

async function readPageQuickly(
  place: S3Place,
  query: Readonly<Record<string, string>>,
): Promise<ListPage | undefined> {
  const answer = await askQuickly(place, {method: 'GET', key: '', query})
  if (answer?.statusCode === 200)
    return collect(answer.body)
      .then(page => parseListPage(page.toString())) // decoded in parts, it would take twice the room, and longer to search
      .catch(() => undefined)
  answer?.body.resume() // frees the connection
  return undefined
}
