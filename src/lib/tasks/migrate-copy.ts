import {Readable} from 'node:stream'
import {Conflict, StorageFailed} from '../errors.js'
import type {DistFile} from '../packaging/dist-file.js'
import {Digester, hashStream} from '../packaging/hashes.js'
import type {PackageStorage} from '../storage/package-storage.js'
import {ObjectExists, ObjectMissing, type Body} from '../storage/storage.js'

export interface Ends {
  readonly source: PackageStorage
  readonly target: PackageStorage
}

/**
 * Copies one file unless the target has it. `place` is where the target has it, or is to get it.
 * @throws {Conflict} when something else is there, which is never overwritten; whatever broke the copy.
 */
export async function copyFile(
  ends: Ends,
  file: DistFile,
  place: DistFile,
  options: {dryRun: boolean; signal?: AbortSignal},
): Promise<'copied' | 'skipped'> {
  if (await isThere(ends, file, place)) return 'skipped'
  if (options.dryRun) return 'copied'
  const reading = new SourceBody(ends.source, file)
  try {
    const stored = await ends.target.put(place, reading, {
      replace: false,
      modified: file.lastModified,
      ...(options.signal && {signal: options.signal}),
    })
    await verify(ends.target, stored, reading.sha256)
    return 'copied'
  } catch (error) {
    // somebody else was quicker: another run, or an upload
    if (error instanceof ObjectExists && (await isThere(ends, file, place))) return 'skipped'
    throw error
  }
}

/** @throws {Conflict} when other bytes are there. */
async function isThere({source, target}: Ends, file: DistFile, place: DistFile): Promise<boolean> {
  let found: DistFile
  try {
    found = await target.stat(place)
  } catch (error) {
    if (error instanceof ObjectMissing) return false
    throw error
  }
  if (found.data.size !== file.data.size) {
    throw new Conflict(
      `the target has another file of that name, of ${found.data.size ?? 0} instead of ${file.data.size ?? 0} bytes; it was kept`,
    )
  }
  if ((await sha256Of(source, file)) === (await sha256Of(target, {...place, data: found.data}))) return true
  throw new Conflict('the target has another file of that name and size, with another SHA-256; it was kept')
}

const sha256Of = async (storage: PackageStorage, file: DistFile): Promise<string> =>
  file.data.hash_sha256?.toLowerCase() ?? (await hashStream(await storage.open(file))).sha256

/** What was written is read again, because only that is known to be there. A bad copy of ours goes. */
async function verify(target: PackageStorage, stored: DistFile, sha256: string | undefined): Promise<void> {
  const read = await hashStream(await target.open(stored))
  if (read.size === stored.data.size && read.sha256 === sha256) return
  const now = await target.stat(stored)
  if (now.data.fingerprint === stored.data.fingerprint) await target.delete(stored)
  throw new StorageFailed('the copy does not read back as it was written, and was removed again')
}

/** A file of the source as something to store. It breaks at its end when its bytes aren't those that were published. */
class SourceBody implements Body {
  readonly size: number
  /** Of what was read last. */
  sha256: string | undefined

  constructor(
    private readonly storage: PackageStorage,
    private readonly file: DistFile,
  ) {
    this.size = file.data.size ?? 0
  }

  open(): Readable {
    return Readable.from(this.#read(), {objectMode: false})
  }

  async *#read(): AsyncGenerator<Buffer> {
    const digester = new Digester()
    for await (const chunk of await this.storage.open(this.file)) {
      digester.update(chunk as Buffer)
      yield chunk as Buffer
    }
    this.sha256 = digester.digest().sha256
    const recorded = this.file.data.hash_sha256?.toLowerCase()
    if (recorded !== undefined && recorded !== this.sha256) {
      throw new StorageFailed('the source is damaged: its SHA-256 is not the recorded one')
    }
  }
}
