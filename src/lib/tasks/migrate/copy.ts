import {findProvenance, keepProvenance} from '../../index/attestations.js'
import type {DistFile} from '../../packaging/dist-file.js'
import type {Bytes} from '../../storage/small-body.js'
import type {LinkKind, ObjectStore} from '../../storage/storage.js'
import type {Ends} from './ends.js'
import {SourceBody} from './source-body.js'

export interface CopyFileOptions {
  /** What is at `place` goes. */
  readonly replace: boolean
  readonly link: LinkKind | undefined
  /** All bytes of the file, where they have been asked for. */
  readonly opened: Bytes | undefined
  /** Nobody needs to know how the target lists it. */
  readonly unlisted: boolean
}

/**
 * Brings a file of the source to `place` in the target, by the service itself or as a link where they can.
 * @returns it as it is listed there, unless `unlisted`, and whether it is a link.
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
  if (there) return {stored: there, isLink: link !== undefined && target.store.layout === 'tree'}
  return {stored: await target.put(place, new SourceBody(ends, file, opened), options), isLink: false}
}

/** What attests the file is there before the file that names it. */
async function carryProvenance(from: ObjectStore, to: ObjectStore, file: DistFile): Promise<void> {
  const provenance = await findProvenance(from, file)
  if (provenance !== undefined) await keepProvenance(to, provenance)
}
