import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {cp, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {openDirectory} from '../../src/lib/storage/file/file.js'
import {isOddity} from '../../src/lib/storage/storage.js'
import {fixtures} from '../support/paths.js'
import {tempDir} from '../support/temp.js'

/** 14 files that pypicloud wrote. */
export const packages = join(fixtures, 'file-storage/packages')

/** `old` with those files, and an empty `new`. */
export async function twoPlaces() {
  const dir = await tempDir()
  await cp(packages, dir.join('old'), {recursive: true})
  return Object.assign(dir, {
    source: await openDirectory(dir.join('old')),
    target: await openDirectory(dir.join('new')),
  })
}

/** Keys in a directory, sorted. */
export async function keysIn(directory: string): Promise<string[]> {
  const keys: string[] = []
  for await (const {key} of (await openDirectory(directory)).list('')) keys.push(key)
  return keys.sort()
}

/** Every file has the bytes of its recorded digest, and none is odd. @returns how many there are. */
export async function allDigestsAreRight(directory: string): Promise<number> {
  let files = 0
  for await (const entry of (await openDirectory(directory)).list('')) {
    assert.ok(!isOddity(entry), entry.key)
    const bytes = await readFile(join(directory, entry.key))
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    assert.equal(entry.metadata?.['hash_sha256'], sha256, entry.key)
    files += 1
  }
  return files
}
