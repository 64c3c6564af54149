import {PpcError, Unavailable} from '../../errors.js'
import type {DistFile} from '../../packaging/dist-file.js'
import {equalDigests, hashStream} from '../../packaging/hashes.js'
import type {PackageStorage} from '../../storage/package-storage.js'
import {chunksOf} from '../../storage/small-body.js'
import {ObjectMissing} from '../../storage/storage.js'

export interface DigestCheck {
  /** Why the bytes are not those that were published: the end of a sentence. */
  readonly damage?: string
  /** Why it could not be read: the end of a sentence. */
  readonly failure?: string
  /** Bytes read. */
  readonly size: number
  /** No digest was ever recorded: only that the file can be read is known. */
  readonly unknown: boolean
}

/**
 * Reads a file and compares it with the digests that the storage has recorded of it, or else the cache. A file that is
 * replaced meanwhile is read again; one that is deleted is no damage.
 * @throws {Unavailable} when the storage can't be reached.
 */
export async function checkDigests(
  storage: PackageStorage,
  listed: DistFile,
  row: DistFile | undefined,
): Promise<DigestCheck> {
  const result = await readAndCompare(storage, listed, row)
  if (result.damage === undefined) return result
  let now: DistFile
  try {
    now = await storage.stat(listed)
  } catch (error) {
    if (error instanceof ObjectMissing) return {size: result.size, unknown: true}
    throw error
  }
  return now.data.fingerprint === listed.data.fingerprint ? result : readAndCompare(storage, now, undefined)
}

async function readAndCompare(
  storage: PackageStorage,
  listed: DistFile,
  row: DistFile | undefined,
): Promise<DigestCheck> {
  const {hash_sha256, hash_md5} = hasDigest(listed) || !row ? listed.data : row.data
  const unknown = hash_sha256 === undefined && hash_md5 === undefined
  try {
    const {size, sha256, md5} = await hashStream(chunksOf(await storage.read(listed)))
    const damage = (text: string) => ({damage: text, size, unknown})
    if (size !== listed.data.size) return damage(`gives ${size} bytes instead of ${listed.data.size ?? 0}`)
    if (hash_sha256 !== undefined && !equalDigests(hash_sha256, sha256))
      return damage('does not have the SHA-256 that was recorded')
    if (hash_md5 !== undefined && !equalDigests(hash_md5, md5))
      return damage('does not have the MD5 that was recorded')
    return {size, unknown}
  } catch (error) {
    if (!(error instanceof PpcError) || error instanceof Unavailable) throw error
    if (error instanceof ObjectMissing) return {size: 0, unknown: true}
    return {failure: `can't be read: ${error.message}`, size: 0, unknown}
  }
}

const hasDigest = ({data}: DistFile): boolean => data.hash_sha256 !== undefined || data.hash_md5 !== undefined
