import {bucketPath, type GcsApi} from './api.js'
import {isNotes} from './notes.js'
import {listedObject, objectFields, type GcsObject} from './object.js'
import type {ListedObject, Oddity} from '../storage.js'

/** The most that the service gives. */
const pageSize = 1000

interface Page {
  readonly items?: readonly GcsObject[]
  readonly nextPageToken?: string
}

/** Every object whose key begins with `prefix`, with its metadata. The next page is asked for while one is read. */
export async function* listObjects(
  api: GcsApi,
  bucket: string,
  prefix: string,
): AsyncGenerator<ListedObject | Oddity> {
  const stop = new AbortController()
  const ask = (pageToken?: string) => {
    const page = api.json<Page>({
      method: 'GET',
      path: `${bucketPath(bucket)}/o`,
      query: {
        prefix,
        pageToken,
        maxResults: String(pageSize),
        fields: `items(${objectFields}),nextPageToken`,
      },
      signal: stop.signal,
    })
    page.catch(() => undefined) // it is awaited in its turn, or nobody wants it any more
    return page
  }
  let next: Promise<Page> | undefined = ask()
  try {
    while (next !== undefined) {
      const {items = [], nextPageToken}: Page = await next
      next = nextPageToken === undefined || nextPageToken === '' ? undefined : ask(nextPageToken)
      for (const object of items) if (!isNotes(object.name)) yield listedObject(object)
    }
  } finally {
    stop.abort()
  }
}
