import {StorageFailed} from '../../errors.js'
import type {DistFile} from '../../packaging/dist-file.js'
import type {PackageStorage} from '../../storage/package-storage.js'
import {ObjectMissing, type Oddity} from '../../storage/storage.js'
import {publishedAt} from './merge.js'

/**
 * Whether another object of the same file name, the one that `row` is about, counts instead of the `listed` one: the newer
 * does, and of two as new the one whose key is first.
 * @param report hears of the object that does not count. @throws {Unavailable} when the storage can't be asked now.
 */
export async function losesTo(
  storage: PackageStorage,
  row: DistFile,
  listed: DistFile,
  report: (oddity: Oddity) => void,
): Promise<boolean> {
  if (row.name === listed.name && row.version === listed.version && row.data.path === listed.data.path) {
    return false // the same key
  }
  const [rowKey, key] = [storage.keyOrNone(row), storage.keyOf(listed)]
  if (rowKey === key || rowKey === undefined) return false
  let other: DistFile
  try {
    other = await storage.stat(row)
  } catch (error) {
    if (error instanceof ObjectMissing) return false // moved
    if (!(error instanceof StorageFailed)) throw error
    if (!rowKey.startsWith(storage.store.keyPrefix ?? '')) return false // moved, from where our rights end
    const reason = `is a second file of the name ${row.filename}: ${rowKey} may not be looked at, and stays`
    report({key, reason})
    return true
  }
  const age = publishedAt(other).getTime() - publishedAt(listed).getTime()
  const loses = age > 0 || (age === 0 && rowKey < key)
  const [loser, winner] = loses ? [key, rowKey] : [rowKey, key]
  report({key: loser, reason: `is a second file of the name ${row.filename}: ${winner} counts`})
  return loses
}
