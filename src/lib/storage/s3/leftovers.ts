import {AbortMultipartUploadCommand, ListMultipartUploadsCommand} from '@aws-sdk/client-s3'
import {fileEnding} from '../../packaging/filenames.js'
import {isNotImplemented, s3Failure, statusOf} from './errors.js'
import {parseKey} from '../layout.js'
import {atObject, type S3Place} from './place.js'
import {ObjectMissing, type Layout, type Leftover} from '../storage.js'

/**
 * Uploads in parts that nobody has joined or given up: their parts cost money and no listing shows them. Only such that
 * were to become distribution files, since a bucket may have other users. Nothing where the service does not tell, or the
 * credentials lack the right `s3:ListBucketMultipartUploads`, which nothing else needs.
 */
export async function* listLeftovers(place: S3Place, layout: Layout): AsyncGenerator<Leftover> {
  const {bucket, settings} = place
  const {client} = await place.api.sdk()
  const {prefix} = settings.values
  let marker: {readonly KeyMarker?: string; readonly UploadIdMarker?: string} | undefined = {}
  while (marker !== undefined) {
    const page = await listPage(place, marker)
    for (const {Key: key, UploadId: id, Initiated: modified = new Date()} of page?.Uploads ?? []) {
      if (key === undefined || id === undefined || !key.startsWith(prefix)) continue
      const filename = parseKey(layout, key.slice(prefix.length))?.filename
      if (filename === undefined || fileEnding(filename) === undefined) continue
      const abort = new AbortMultipartUploadCommand({Bucket: bucket, Key: key, UploadId: id})
      yield {key, modified, remove: () => giveUp(place, key, () => client.send(abort))}
    }
    const {IsTruncated: hasMore = false, NextKeyMarker: nextKey, NextUploadIdMarker: nextId} = page ?? {}
    marker = hasMore && nextKey ? {KeyMarker: nextKey, ...(nextId && {UploadIdMarker: nextId})} : undefined
  }
}

async function listPage(place: S3Place, marker: {readonly KeyMarker?: string}) {
  const {bucket, name, settings} = place
  const {prefix} = settings.values
  try {
    const {client} = await place.api.sdk()
    return await client.send(
      new ListMultipartUploadsCommand({Bucket: bucket, ...(prefix !== '' && {Prefix: prefix}), ...marker}),
    )
  } catch (error) {
    if (statusOf(error) === 403 || isNotImplemented(error)) return undefined
    throw s3Failure(error, `${name}: interrupted uploads can't be listed`, settings)
  }
}

async function giveUp(place: S3Place, key: string, abort: () => Promise<unknown>): Promise<void> {
  try {
    await atObject(place, key, 'has an interrupted upload that was not removed', abort)
  } catch (error) {
    if (!(error instanceof ObjectMissing)) throw error // it is gone by itself, or its end has come
  }
}
