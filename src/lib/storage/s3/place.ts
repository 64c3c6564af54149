import type {S3Api} from './api.js'
import {isObjectMissing, isUnexplained, s3Failure} from './errors.js'
import {head, type Head} from './head.js'
import {parseS3Metadata} from './metadata.js'
import type {S3Settings} from './settings.js'
import {ObjectMissing, type StoredObject} from '../storage.js'

/** A bucket that is there, and how it is talked to. */
export interface S3Place {
  /** `s3://bucket/prefix`. */
  readonly name: string
  readonly api: S3Api
  readonly bucket: string
  /** Where the bucket is. */
  readonly region: string
  readonly settings: S3Settings
}

/** Objects of ours beside the packages. pypicloud skips them, since no package's file name ends like this. */
export const notesName = 'ppc-toolkit.notes'
export const probeName = 'ppc-toolkit.probe'
export const isOurs = (key: string): boolean => /(?:^|\/)[^/]*ppc-toolkit\.(?:notes|probe)[^/]*$/.test(key)

/** Does `work`, and says what is wrong when the service refuses it. @throws {ObjectMissing} where the key is missing. */
export async function atObject<T>(
  place: S3Place,
  key: string,
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isObjectMissing(error)) throw new ObjectMissing(`${key} is not stored`, {cause: error})
    throw s3Failure(await explained(place, error), `${place.name}: ${key} ${what}`, place.settings)
  }
}

/** @throws {ObjectMissing} */
export async function headObject(place: S3Place, key: string): Promise<StoredObject> {
  return describeObject(key, await atObject(place, key, "can't be looked up", () => head(place, key)))
}

export async function findObject(place: S3Place, key: string): Promise<StoredObject | undefined> {
  try {
    return await headObject(place, key)
  } catch (error) {
    if (error instanceof ObjectMissing) return undefined
    throw error
  }
}

/** @param found what HEAD or GET answered. */
export function describeObject(key: string, found: Head): StoredObject {
  const size = found.ContentLength ?? 0
  const modified = found.LastModified ?? new Date(0)
  return {
    key,
    size,
    modified,
    fingerprint: fingerprintOf(found.ETag, size, modified),
    metadata: parseS3Metadata(found.Metadata),
  }
}

/**
 * The same from a listing and from a HEAD, which has whole seconds only. The time tells apart what was written again with
 * the same bytes and other metadata.
 */
export const fingerprintOf = (etag: string | undefined, size: number, modified: Date): string =>
  `${plainEtag(etag)}.${size.toString(36)}.${Math.floor(modified.getTime() / 1000).toString(36)}`

/** Without the quotes that are part of it, and which some services leave away. */
export const plainEtag = (etag: string | undefined): string => (etag ?? '').replace(/^(?:W\/)?"|"$/g, '')

/** An answer to HEAD has no words. What a GET is refused for is the same. */
export async function explained(place: Pick<S3Place, 'api' | 'bucket'>, error: unknown): Promise<unknown> {
  if (!isUnexplained(error)) return error
  try {
    const {client, ListObjectsV2Command} = await place.api.sdk()
    await client.send(new ListObjectsV2Command({Bucket: place.bucket, MaxKeys: 1}))
    return error
  } catch (reason) {
    return reason
  }
}
