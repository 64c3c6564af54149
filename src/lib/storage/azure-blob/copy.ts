import type {BlobClient, BlockBlobClient} from '@azure/storage-blob'
import {azureStatus} from './errors.js'
import {toAzureMetadata} from './metadata.js'
import {writeBlob, type PutResult} from './put.js'
import {withRetries} from './retry.js'
import type {CopyOptions} from '../storage.js'

/** Limits of the two requests by which the service copies before it answers. */
const mostToCopy = 256 << 20
const mostToPut = 5000 * (1 << 20)
/** Seconds for the service to copy one blob. */
const patience = 600

/**
 * Lets the service itself read one blob and write another, checked by the digest that is known of the source.
 * @param link by which the service reads the source.
 * @returns undefined where it can't, or no digest is known.
 * @throws what the SDK throws when the source is missing. @throws {ObjectExists}
 */
export async function copyBlob(
  source: BlobClient,
  link: () => Promise<URL>,
  target: BlockBlobClient,
  options: CopyOptions,
): Promise<(PutResult & {readonly size: number}) | undefined> {
  const {signal} = options
  const metadata = toAzureMetadata(options.metadata ?? {})
  if (Object.keys(metadata).length === 0) return undefined // the service would take that of the source
  const found = await withRetries(({abortSignal}) => source.getProperties({abortSignal}), {signal})
  const {contentLength: size = 0, etag} = found
  const md5 = found.contentMD5 ? Buffer.from(found.contentMD5) : digestIn(found.metadata)
  if (md5?.length !== 16 || etag === undefined || size > mostToPut) return undefined
  const url = (await link()).href
  const request = {
    metadata,
    conditions: options.replace ? {} : {ifNoneMatch: '*'},
    sourceConditions: {ifMatch: etag},
    sourceContentMD5: md5,
  }
  try {
    const copied = await writeBlob(target, {metadata, md5, signal, seconds: patience}, abortSignal =>
      size > mostToCopy
        ? target.syncUploadFromURL(url, {
            ...request,
            abortSignal,
            blobHTTPHeaders: {blobContentType: 'application/octet-stream', blobContentMD5: md5},
            copySourceBlobProperties: false,
          })
        : target.syncCopyFromURL(url, {...request, abortSignal}),
    )
    return {etag: copied.etag, lastModified: copied.lastModified, metadata, size}
  } catch (error) {
    if (cannotCopy(error)) return undefined
    throw error
  }
}

/** The service can't reach the source, may not read it, or does not know the request: the bytes can still go through here. */
const cannotCopy = (error: unknown): boolean => {
  const status = azureStatus(error)
  return status !== undefined && [400, 401, 403, 404, 409, 412, 501].includes(status)
}

/** Blobs of pypicloud have no MD5 of their own, but one in their metadata. */
function digestIn(metadata: Readonly<Record<string, string>> = {}): Buffer | undefined {
  const hex = metadata['hash_md5']
  return hex !== undefined && /^[0-9a-f]{32}$/i.test(hex) ? Buffer.from(hex, 'hex') : undefined
}
