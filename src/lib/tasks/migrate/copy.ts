import type {Readable} from 'node:stream'
import {StorageFailed} from '../../errors.js'
import {findProvenance, keepProvenance} from '../../index/attestations.js'
import type {DistFile} from '../../packaging/dist-file.js'
import type {LinkKind, ObjectStore} from '../../storage/storage.js'
import {digestOf, type Ends} from './ends.js'
import {SourceBody} from './source-body.js'

export interface CopyFileOptions {
  /** What is at `place` goes. */
  readonly replace: boolean
  readonly link: LinkKind | undefined
  /** All bytes of the file, where they have been asked for. */
  readonly opened: Readable | undefined
  /** Nobody needs to know how the target lists it. */
  readonly unlisted: boolean
}

/**
 * Brings a file of the source to `place` in the target, by the service itself or as a link where they can, and makes
 * certain that it arrived. @returns it as it is listed there, unless `unlisted`, and whether it is a link.
 * @throws {ObjectExists} @throws whatever broke the copy.
 */
export async function copyFile(
  ends: Ends,
  file: DistFile,
  place: DistFile,
  {replace, link, opened, unlisted}: CopyFileOptions,
): Promise<{readonly stored: DistFile; readonly isLink: boolean}> {
  const {source, target, signal} = ends
  await carryProvenance(source.store, target.store, file)
  const options = {replace, unlisted, modified: place.lastModified, ...(signal && {signal})}
  const there = opened
    ? undefined
    : await target.copyFrom(source, file, place, {...options, ...(link && {link})})
  if (there) {
    const isLink = link !== undefined && target.store.layout === 'tree'
    if (!isLink) await confirm(ends, there, file.data.size, await recordedOrRead(ends, file))
    return {stored: there, isLink}
  }
  const body = new SourceBody(ends, file, opened)
  const stored = await target.put(place, body, options)
  await confirm(ends, stored, body.size, body.sha256)
  return {stored, isLink: false}
}

/** What attests the file is there before the file that names it. */
async function carryProvenance(from: ObjectStore, to: ObjectStore, file: DistFile): Promise<void> {
  const provenance = await findProvenance(from, file)
  if (provenance !== undefined) await keepProvenance(to, provenance)
}

/** Undefined where the service has confirmed the bytes and nobody needs to know. */
async function recordedOrRead(ends: Ends, file: DistFile): Promise<string | undefined> {
  if (ends.target.store.confirmsBytes) return undefined
  return file.data.hash_sha256?.toLowerCase() ?? (await digestOf(ends, ends.source, file)).sha256
}

/** Unless the service has confirmed the bytes, they are read again: only that is known to be there. A bad copy goes. */
async function confirm(
  ends: Ends,
  stored: DistFile,
  size: number | undefined,
  sha256: string | undefined,
): Promise<void> {
  const {target} = ends
  if (stored.data.size === size) {
    if (target.store.confirmsBytes) return
    if ((await digestOf(ends, target, stored)).sha256 === sha256) return
  }
  const now = await target.stat(stored)
  if (now.data.fingerprint === stored.data.fingerprint) await target.delete(stored)
  throw new StorageFailed('the copy does not read back as it was written, and was removed again')
}
