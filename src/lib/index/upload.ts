import {open} from 'node:fs/promises'
import type {DistFile} from '../packaging/dist-file.js'
import type {Digests} from '../packaging/hashes.js'
import {readArchive, type ArchiveMetadata, type RandomAccess} from '../packaging/archives.js'
import type {Body} from '../storage/storage.js'

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

/** The core metadata in the file that arrived. @throws {InvalidInput} also for an archive that is not in order. */
export async function readUpload({
  body,
  filename,
}: Pick<Upload, 'body' | 'filename'>): Promise<ArchiveMetadata> {
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
