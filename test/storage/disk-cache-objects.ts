import {createHash} from 'node:crypto'
import type {CachedObject} from '../../src/lib/storage/disk-cache/disk-cache.js'

/** Bytes of each. */
export const objectSize = 100_000

/** Content that only depends on the number. */
export const contentOf = (number: number): Buffer => Buffer.alloc(objectSize, `object ${number} `)

export const objectOf = (number: number): Required<CachedObject> => ({
  store: 's3://bucket/',
  key: `project/file-${number}.zip`,
  size: objectSize,
  sha256: createHash('sha256').update(contentOf(number)).digest('hex'),
  fingerprint: `etag-${number}`,
})
