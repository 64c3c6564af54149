import {Notes} from '../index/notes.js'
import type {ObjectStore} from '../storage/storage.js'

/** Names that were published and deleted in the source stay closed to the upstream index in the target too. */
export async function mergeNotes(from: ObjectStore, to: ObjectStore): Promise<void> {
  if ((await from.notes?.read()) === undefined) return
  const sealed = await new Notes(from).sealed()
  if (sealed.size > 0) await new Notes(to).seal([...sealed])
}
