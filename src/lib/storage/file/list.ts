import {opendirSync, readdirSync, statSync, type Dirent} from 'node:fs'
import {join} from 'node:path'
import {performance} from 'node:perf_hooks'
import {setImmediate} from 'node:timers/promises'
import {isMissing, systemReason} from './errors.js'
import {listInThread} from './list-thread.js'
import {isPypicloudTemporary, metaEnding} from './names.js'
import {describeFile} from './read.js'
import type {ListedObject, Oddity} from '../storage.js'

/** Other requests get their turn this often while a large tree is read. */
const sliceMs = 4
/** From so many projects on a second thread is worth its start. */
const projectsWorthAThread = 200

/**
 * Every `name/version/file` of the tree whose key begins with `prefix`, and everything that has no business there.
 * Linked directories are not entered, linked files are, as pypicloud does it. Projects come by name: a database takes
 * what is sorted faster. Never more than their names and those of one directory are in memory. What disappears
 * meanwhile is passed over.
 * @throws the file system's error when the root itself can't be read: an empty listing would be believed.
 */
export async function* listTree(root: string, prefix: string): AsyncGenerator<ListedObject | Oddity> {
  const pause = slices()
  const [onlyName, ...within] = prefix.split('/')
  const projects: string[] = []
  for (const entry of within.length === 0 ? rootEntries(root) : [onlyName ?? '']) {
    await pause()
    if (typeof entry === 'string') {
      if (reaches(entry, prefix)) projects.push(entry)
    } else if (entry.key.startsWith(prefix)) yield entry
  }
  projects.sort()
  if (projects.length >= projectsWorthAThread) {
    for await (const entry of listInThread({root, projects})) if (entry.key.startsWith(prefix)) yield entry
    return
  }
  for (const entry of listProjects(root, projects, prefix)) {
    await pause()
    if (entry.key.startsWith(prefix)) yield entry
  }
}

/** Everything in the directories `projects` of the root, as far as its key can begin with `prefix`. */
export function* listProjects(
  root: string,
  projects: readonly string[],
  prefix = '',
): Generator<ListedObject | Oddity> {
  const onlyVersion = prefix.split('/').slice(1, -1)[0]
  for (const project of projects) {
    const versions = onlyVersion === undefined ? subdirectories(root, project) : [`${project}/${onlyVersion}`]
    for (const version of versions) {
      if (typeof version !== 'string') yield version
      else if (reaches(version, prefix)) yield* filesIn(root, version)
    }
  }
}

/** Whether keys below `directory` can begin with `prefix`. */
const reaches = (directory: string, prefix: string): boolean =>
  `${directory}/`.startsWith(prefix) || prefix.startsWith(`${directory}/`)

/** Waits for the next turn of the event loop once the slice is used up. */
function slices(): () => Promise<void> | undefined {
  let start = performance.now()
  return () => {
    if (performance.now() - start < sliceMs) return undefined
    return setImmediate().then(() => void (start = performance.now()))
  }
}

/** Names of project directories. The root may hold very many: read in portions. */
function* rootEntries(root: string): Generator<string | Oddity> {
  const directory = opendirSync(root, {bufferSize: 1024})
  try {
    for (let entry = directory.readSync(); entry !== null; entry = directory.readSync()) {
      const found = directoryOrOddity(root, '', entry)
      if (found !== undefined) yield found
    }
  } finally {
    directory.closeSync()
  }
}

/** Keys of version directories. */
function* subdirectories(root: string, project: string): Generator<string | Oddity> {
  for (const entry of entriesOf(root, project)) {
    const found = 'reason' in entry ? entry : directoryOrOddity(root, `${project}/`, entry)
    if (found !== undefined) yield found
  }
}

function* filesIn(root: string, directory: string): Generator<ListedObject | Oddity> {
  for (const entry of entriesOf(root, directory)) {
    if ('reason' in entry) yield entry
    else if (!entry.name.endsWith(metaEnding)) yield* fileOrOddity(root, `${directory}/${entry.name}`, entry)
  }
}

function entriesOf(root: string, directory: string): (Dirent | Oddity)[] {
  try {
    return readdirSync(join(root, directory), {withFileTypes: true})
  } catch (error) {
    return isMissing(error) ? [] : [unreadable(directory, error)]
  }
}

function directoryOrOddity(root: string, parent: string, entry: Dirent): string | Oddity | undefined {
  const key = parent + entry.name
  if (entry.name.endsWith(metaEnding) && (entry.isFile() || entry.name.startsWith('.ppc-'))) return undefined
  if (isUndecodable(entry.name)) return {key, reason: 'its name is not UTF-8'}
  if (entry.isDirectory()) {
    if (parent !== '' || !(entry.name.startsWith('.') || entry.name === 'lost+found')) return key
    return {key, reason: 'is not the directory of a project'}
  }
  if (entry.isSymbolicLink() && statSync(join(root, key), {throwIfNoEntry: false})?.isDirectory() === true) {
    return {key, reason: 'is a link to a directory, which is not followed'}
  }
  return {key, reason: 'is not at project/version/file'}
}

function* fileOrOddity(root: string, key: string, entry: Dirent): Generator<ListedObject | Oddity> {
  const stranger = strangeness(entry)
  if (stranger !== undefined) {
    yield {key, reason: stranger}
    return
  }
  try {
    const {damagedMeta, ...object} = describeFile(join(root, key), key)
    yield object
    if (damagedMeta) yield {key: key + metaEnding, reason: 'is not a JSON object and was ignored'}
  } catch (error) {
    if (entry.isFile() && isMissing(error)) return
    yield isMissing(error) ? {key, reason: 'is neither a file nor a link to one'} : unreadable(key, error)
  }
}

const unreadable = (key: string, error: unknown): Oddity => ({
  key,
  reason: `can't be read: ${systemReason(error)}`,
  unreadable: true,
})

function strangeness(entry: Dirent): string | undefined {
  if (entry.isDirectory()) return 'is a directory below a version'
  if (isUndecodable(entry.name)) return 'its name is not UTF-8'
  if (isPypicloudTemporary(entry.name)) return 'is an unfinished upload of pypicloud'
  return entry.name.startsWith('.') ? 'is a hidden file' : undefined
}

const isUndecodable = (name: string): boolean => name.includes('\ufffd')
