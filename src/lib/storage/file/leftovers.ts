import {lstatSync, readdirSync} from 'node:fs'
import {rm, rmdir} from 'node:fs/promises'
import {join} from 'node:path'
import {setImmediate} from 'node:timers/promises'
import {isMissing} from './errors.js'
import {isOwnTemporary, isPypicloudTemporary, metaEnding} from './names.js'
import type {Leftover} from '../storage.js'

/**
 * What crashes left in the tree: temporary files of ours in its root, those of pypicloud beside the files they were to
 * become, and metadata of a file that never came. The age is the inode's: `mtime` may be that of a migrated file.
 */
export async function* listLeftovers(root: string): AsyncGenerator<Leftover> {
  for (const entry of entries(root, '')) {
    if (isOwnTemporary(entry.name)) yield* describe(root, entry.name, entry.isDirectory())
    else if (entry.isDirectory()) yield* inProject(root, entry.name)
  }
}

async function* inProject(root: string, project: string): AsyncGenerator<Leftover> {
  await setImmediate() // other requests get their turn
  for (const version of entries(root, project)) {
    if (!version.isDirectory()) continue
    const directory = `${project}/${version.name}`
    const files = entries(root, directory)
    const names = new Set(files.map(({name}) => name))
    for (const {name} of files) {
      const isOrphan = name.endsWith(metaEnding) && !names.has(name.slice(0, -metaEnding.length))
      if (isOrphan || isPypicloudTemporary(name)) yield* describe(root, `${directory}/${name}`, false)
    }
  }
}

function entries(root: string, directory: string) {
  try {
    return readdirSync(join(root, directory), {withFileTypes: true})
  } catch (error) {
    if (directory === '') throw error
    return [] // the listing reports it
  }
}

function* describe(root: string, key: string, isDirectory: boolean): Generator<Leftover> {
  const path = join(root, key)
  try {
    const modified = lstatSync(path).ctime
    yield {key, modified, remove: () => (isDirectory ? rmdir(path) : rm(path, {force: true}))}
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}
