import {createHash, type Hash} from 'node:crypto'
import {StorageFailed} from '../../errors.js'
import {deleteObject} from './delete.js'
import {plainEtag, type S3Place} from './place.js'
import {readObject} from './read.js'

/** What the ETag of unencrypted bytes is: their MD5, or of several parts the MD5 of the parts' and their number. */
export interface Digest {
  readonly etag: string
  /** Bytes. Undefined: it was put at once. */
  readonly partSize?: number
}

export const md5 = (bytes: Buffer): Buffer => createHash('md5').update(bytes).digest()

export const digestOfParts = (parts: readonly Buffer[], partSize: number): Digest => ({
  etag: `${md5(Buffer.concat(parts)).toString('hex')}-${parts.length}`,
  partSize,
})

/**
 * Holds what the service says it has against what was sent. AWS has compared Content-MD5 itself; with KMS its ETags are no
 * digests. Of any other service whose ETag is something else, the object is read again.
 * @throws {StorageFailed} when other bytes were stored, and takes them away.
 */
export async function confirmBytes(
  place: S3Place,
  key: string,
  etag: string | undefined,
  sent: Digest,
): Promise<void> {
  if (plainEtag(etag) === sent.etag) return
  if (
    place.settings.endpoint === undefined &&
    !plainEtag(etag).includes('-') === (sent.partSize === undefined)
  )
    return
  if ((await digestOfObject(place, key, sent.partSize)) === sent.etag) return
  await deleteObject(place, key)
  throw new StorageFailed(`${place.name}: the service has stored other bytes under ${key} than were sent`)
}

async function digestOfObject(place: S3Place, key: string, partSize = Infinity): Promise<string> {
  const parts: Buffer[] = []
  let hash: Hash = createHash('md5')
  let filled = 0
  for await (const chunk of await readObject(place, key)) {
    let rest = chunk as Buffer
    while (rest.length > 0) {
      const piece = rest.subarray(0, partSize - filled)
      hash.update(piece)
      filled += piece.length
      rest = rest.subarray(piece.length)
      if (filled < partSize) continue
      parts.push(hash.digest())
      hash = createHash('md5')
      filled = 0
    }
  }
  if (partSize === Infinity) return hash.digest('hex')
  if (filled > 0) parts.push(hash.digest())
  return digestOfParts(parts, partSize).etag
}
