import type {Cache} from '../../cache/cache.js'
import type {Notes} from '../../index/notes.js'
import {isUploaded, type DistFile} from '../../packaging/dist-file.js'

/**
 * Takes away the row of a file that is gone, unless it is another one by now, and seals a name that has no uploaded file
 * left (RULES 3). The seal comes first: whoever is killed in between leaves a sealed name with a row, which harms nobody.
 */
export async function removeGone(
  {cache, notes}: {readonly cache: Cache; readonly notes: Notes},
  row: DistFile,
): Promise<{readonly removed: boolean; readonly sealed: boolean}> {
  const hasOthers = async () =>
    (await cache.listFiles(row.name)).some(file => file.filename !== row.filename && isUploaded(file))
  const isLast = isUploaded(row) && !(await hasOthers())
  if (isLast) await notes.seal([row.name])
  const removed = (await cache.remove([row], {ifUnchanged: true})).removed.length > 0
  if (!isUploaded(row)) return {removed, sealed: false}
  // the last two files may have gone at once, each with the other still listed; or one was published meanwhile
  const sealed = !(await hasOthers()) && (removed || (await isUnlisted(cache, row)))
  if (sealed && !isLast) await notes.seal([row.name])
  if (!sealed && isLast) await notes.unseal(row.name)
  return {removed, sealed}
}

const isUnlisted = async (cache: Cache, {filename}: DistFile): Promise<boolean> =>
  (await cache.findFile(filename)) === undefined
