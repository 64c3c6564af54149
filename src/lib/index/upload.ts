import {open} from 'node:fs/promises'
import {readArchive, type ArchiveMetadata, type RandomAccess} from '../packaging/archives.js'
import {provenanceOf} from '../packaging/attestations.js'
import type {DistFile, DistFileData} from '../packaging/dist-file.js'
import {checkFilename} from '../packaging/filenames.js'
import {checkDigests, type Digests} from '../packaging/hashes.js'
import type {Body} from '../storage/storage.js'
import {digestOf} from './attestations.js'
import {describeMetadata} from './core-metadata.js'

/** One file that somebody wants to publish. Of the text fields, empty is as good as absent. */
export interface Upload {
  readonly filename: string
  /** As the client spells them. What is missing is read from the archive or the file name. */
  readonly name?: string | undefined
  readonly version?: string | undefined
  readonly summary?: string | undefined
  readonly requiresPython?: string | undefined
  /** What attests the file: the JSON array of PEP 740. */
  readonly attestations?: string | undefined
  /** User name. */
  readonly uploader?: string | undefined
  readonly body: Body
  /** Of the bytes that arrived. */
  readonly digests: Digests
  /** What the client says they are. */
  readonly claimed?: {readonly [K in keyof Digests]?: string | undefined}
}

export interface Published {
  /** As it is listed now. */
  readonly file: DistFile
  /** `unchanged`: the same bytes were there; nothing was written. */
  readonly outcome: 'created' | 'replaced' | 'unchanged'
}

/** With the provenance object that clients get. */
export type CheckedUpload = Upload & {readonly provenance: string | undefined}

/**
 * The core metadata in the file that arrived.
 * @throws {InvalidInput} also for a bad file name, other digests than claimed, and an archive that is not in order.
 */
export async function readUpload({body, filename, claimed, digests}: Upload): Promise<ArchiveMetadata> {
  checkFilename(filename)
  checkDigests(claimed ?? {}, digests)
  const {size, disposablePath} = body
  const stream = () => body.open()
  const bytes = await body.whole?.()
  if (bytes) {
    const read = (start: number, end: number) => Promise.resolve(bytes.subarray(start, Math.max(start, end)))
    return readArchive({size, stream, read}, filename, strict)
  }
  if (disposablePath === undefined)
    return readArchive({size, stream, read: (start, end) => readPart(body, start, end)}, filename, strict)
  const file = await open(disposablePath, 'r')
  try {
    const source: RandomAccess = {
      size,
      stream,
      read: async (start, end) => {
        const bytes = Buffer.alloc(Math.max(0, end - start))
        const {bytesRead} = await file.read(bytes, 0, bytes.length, start)
        return bytes.subarray(0, bytesRead)
      },
    }
    return await readArchive(source, filename, strict)
  } finally {
    await file.close()
  }
}

/**
 * What is noted of a file. What its client says counts before its archive, as in pypicloud; clients that say nothing (curl, a
 * browser) leave it to the archive.
 * @param keeps whether there is a place for digests and for attestations
 * @throws {InvalidInput} for attestations of something else
 */
export function describeUpload(
  {filename, digests, attestations, requiresPython, uploader}: Upload,
  {metadata, metadataBytes}: ArchiveMetadata,
  keeps: {readonly hashes: boolean; readonly attestations: boolean},
): {data: DistFileData; provenance: string | undefined} {
  const provenance = attestations?.trim()
    ? provenanceOf(attestations, {filename, sha256: digests.sha256})
    : undefined
  const data: DistFileData = {
    ...textMember('requires_python', requiresPython, metadata?.requiresPython),
    ...(keeps.hashes && {hash_sha256: digests.sha256, hash_md5: digests.md5}),
    ...textMember('uploader', uploader),
    ...(metadataBytes &&
      filename.endsWith('.whl') && {core_metadata_sha256: describeMetadata(metadataBytes).sha256}),
    ...(provenance !== undefined && keeps.attestations && {attestations: digestOf(provenance)}),
    upload_time: timestamp(),
  }
  return {data, provenance}
}

/** The first text that says anything, as a member of that name. */
export function textMember(key: string, ...values: (string | undefined)[]): Record<string, string> {
  const value = values.map(text => text?.trim() ?? '').find(text => text !== '')
  return value === undefined ? {} : {[key]: value}
}

/** PEP 700 §upload-time, with the microseconds that it asks for. */
const timestamp = (): string => new Date().toISOString().replace('Z', '000Z')

const strict = {strict: true}

/** From a body that can only be read from its beginning. */
async function readPart(body: Body, start: number, end: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let offset = 0
  for await (const chunk of body.open() as AsyncIterable<Buffer>) {
    parts.push(chunk.subarray(Math.max(0, start - offset), Math.max(0, end - offset)))
    offset += chunk.length
    if (offset >= end) break
  }
  return Buffer.concat(parts)
}
