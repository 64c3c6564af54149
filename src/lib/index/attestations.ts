import {createHash} from 'node:crypto'
import {StorageFailed} from '../errors.js'
import type {DistFile} from '../packaging/dist-file.js'
import type {ObjectStore, RemovableText} from '../storage/storage.js'

type Store = Pick<ObjectStore, 'name' | 'notes'>

/**
 * What attests files: too long for the metadata of an object, so that each is a text of its own in the storage, under
 * the digest of its content. That digest is with the file, in its metadata and its row (`data.attestations`).
 * @param digest hex SHA-256. @returns undefined where the storage keeps no texts.
 */
const textOf = ({notes}: Store, digest: string): RemovableText | undefined =>
  /^[0-9a-f]{64}$/.test(digest) ? notes?.beside?.(`attestations-${digest}`) : undefined

/** What a file is told by: hex SHA-256. */
export const digestOf = (provenance: string): string => createHash('sha256').update(provenance).digest('hex')

/** To be done before the file is stored that names it. Does nothing where the storage keeps no texts. */
export async function keepProvenance(store: Store, provenance: string): Promise<void> {
  const digest = digestOf(provenance)
  const text = textOf(store, digest)
  if (!text) return
  // Whoever was first has written the same.
  if (!(await text.write(provenance, undefined)) && (await text.read())?.text !== provenance)
    throw new StorageFailed(`${store.name} has other attestations under their digest ${digest}`)
}

/** JSON, or undefined where the file has none. */
export async function findProvenance(store: Store, file: DistFile): Promise<string | undefined> {
  const {attestations} = file.data
  return attestations ? (await textOf(store, attestations)?.read())?.text : undefined
}

/** Once no file names it any more. */
export async function dropProvenance(store: Store, {data}: DistFile): Promise<void> {
  if (data.attestations) await textOf(store, data.attestations)?.remove()
}
