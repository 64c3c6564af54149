import {fitMetadata} from '../fit-metadata.js'
import type {ListedObject, ObjectMetadata, Oddity, StoredObject} from '../storage.js'

/** An object resource of the JSON API, as far as `objectFields` asks for it. Numbers of 64 bits are texts. */
export interface GcsObject {
  readonly name: string
  readonly size: string
  readonly updated: string
  readonly generation: string
  readonly metageneration: string
  readonly md5Hash?: string
  readonly crc32c?: string
  readonly metadata?: Readonly<Record<string, string>>
}
export const objectFields = 'name,size,updated,generation,metageneration,md5Hash,crc32c,metadata'

/** Bytes of all names and values together (cloud.google.com/storage/quotas, "maximum combined size of custom metadata"). */
const mostMetadata = 8 * 1024

export function storedObject(object: GcsObject): StoredObject {
  return {
    key: object.name,
    size: Number(object.size),
    modified: new Date(object.updated),
    fingerprint: `${object.generation}.${object.metageneration}`,
    metadata: object.metadata ?? {},
  }
}

export function listedObject(object: GcsObject): ListedObject | Oddity {
  if (/[\x00-\x1f\x7f-\x9f\u2028\u2029]/.test(object.name)) {
    return {key: JSON.stringify(object.name), reason: 'has a control character in its name'}
  }
  return storedObject(object)
}

/** What new objects get beside their bytes. */
export interface NewObject {
  readonly bucket: string
  readonly key: string
  readonly metadata: ObjectMetadata
  readonly storageClass?: string | undefined
  readonly predefinedAcl?: string | undefined
  readonly cacheControl?: string
  /** What `ifGenerationMatch` asks for: `0` is that nothing is there. Undefined replaces whatever is there. */
  readonly expectedGeneration?: string | undefined
}

/** As the service takes it in an upload or a rewrite. */
export const resourceOf = ({metadata, storageClass, cacheControl}: NewObject): object => ({
  contentType: 'application/octet-stream', // as pypicloud
  metadata: fitting(metadata),
  ...(storageClass === undefined ? {} : {storageClass}),
  ...(cacheControl === undefined ? {} : {cacheControl}),
})

export const queryOf = ({predefinedAcl, expectedGeneration}: NewObject) => ({
  predefinedAcl,
  ifGenerationMatch: expectedGeneration,
})

/** As much as the service takes of it. */
export const fitting = (metadata: ObjectMetadata): ObjectMetadata => fitMetadata(metadata, mostMetadata)
