import type {BlobItem, ContainerClient} from '@azure/storage-blob'
import {fromAzureMetadata} from './metadata.js'
import {withRetries} from './retry.js'
import type {ListedObject} from '../storage.js'

/** Azure gives up to 5,000. The XML of so many, as it is taken apart, takes 80 MB more, and that of 1,000 still 20 MB. */
const pageSize = 500

interface Page {
  readonly blobs: readonly BlobItem[]
  /** Where the next page begins; absent on the last one. */
  readonly next: string | undefined
}

/**
 * Every blob under a prefix, with its metadata: one request a page, and the next page is on its way while this one is read.
 * Blobs that are not committed yet are not among them, snapshots neither.
 */
export async function* listBlobs(container: ContainerClient, prefix: string): AsyncGenerator<ListedObject> {
  let coming: Promise<Page> | undefined = readPage(container, prefix, undefined)
  while (coming !== undefined) {
    const page: Page = await coming
    coming = page.next === undefined ? undefined : readPage(container, prefix, page.next)
    coming?.catch(() => undefined) // awaited in its turn, or nobody wants it any more
    for (const blob of page.blobs) if (!isDirectory(blob)) yield describe(blob)
  }
}

function readPage(container: ContainerClient, prefix: string, token: string | undefined): Promise<Page> {
  return withRetries(async ({abortSignal}) => {
    const pages = container
      .listBlobsFlat({prefix, includeMetadata: true, abortSignal})
      .byPage({maxPageSize: pageSize, ...(token !== undefined && {continuationToken: token})})
    for await (const {segment, continuationToken} of pages) {
      return {blobs: segment.blobItems, next: continuationToken || undefined}
    }
    return {blobs: [], next: undefined}
  })
}

/** Accounts with a hierarchical namespace list their directories as empty blobs with this mark. */
const isDirectory = ({metadata}: BlobItem): boolean =>
  Object.entries(metadata ?? {}).some(([name, value]) => /^hdi_isfolder$/i.test(name) && value === 'true')

function describe({name, properties, metadata}: BlobItem): ListedObject {
  return {
    key: name,
    size: properties.contentLength ?? 0,
    modified: properties.lastModified,
    fingerprint: fingerprintOf(properties.etag),
    metadata: fromAzureMetadata(metadata),
  }
}

/** The entity tag, which every write changes, without the quotation marks that headers have and listings don't. */
export const fingerprintOf = (etag: string | undefined): string => (etag ?? '').replace(/^"|"$/g, '')
