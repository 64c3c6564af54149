import {
  closeSync,
  fchmodSync,
  fstatSync,
  futimesSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
  type Stats,
} from 'node:fs'
import {rm, rmdir} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {errorCode, isMissing} from './errors.js'
import {flushDescriptor, flushDirectory} from '../../flush.js'
import {isLinkTo, linkFile} from './link.js'
import {withLock} from './lock.js'
import {formatMetadata} from './metadata.js'
import {metaPath, temporaryName} from './names.js'
import {adoptOrSpool, opened, type Spooled} from './spool.js'
import {ObjectExists, type Body, type CopyOptions, type PutOptions} from '../storage.js'

/** One object on its way: complete and on the disk, but under names that nobody reads. */
interface Staged {
  readonly root: string
  readonly key: string
  /** Where it belongs. */
  readonly path: string
  readonly bytes: string
  readonly meta: string
}

/**
 * Stores an object so that whoever looks, or pulls the plug, finds all of it or none, and never other bytes' metadata:
 * ```
 * new       stage bytes and metadata · link the bytes, which decides who is first · link the metadata
 * replaced  stage bytes and metadata · lock: remove the old metadata · rename the bytes · rename the metadata
 * ```
 * A link fails where something is already, a rename does not.
 */
export async function putFile(root: string, key: string, body: Body, options: PutOptions): Promise<void> {
  if (!options.replace && exists(join(root, key))) throw alreadyThere(key)
  await storeFile(root, key, options, async (temporary, directory, meta) => {
    const bytes = await adoptOrSpool(body, temporary, directory, options.signal)
    if (body.disposablePath !== undefined) fchmodSync(bytes.descriptor, fstatSync(meta).mode) // an upload is private
    if (options.modified) setModified(bytes, options.modified)
    return bytes
  })
  if (body.disposablePath !== undefined) removeIfThere(body.disposablePath)
}

/**
 * As `putFile`, with a link to the file `source` instead of bytes. Where it is there already, nothing is written.
 * @returns false where the file system has no such links.
 */
export async function putLink(
  root: string,
  key: string,
  source: string,
  options: CopyOptions,
): Promise<boolean> {
  const {link = 'hard', replace, modified} = options
  const path = join(root, key)
  return storeFile(root, key, options, async temporary => {
    if (!(await linkFile(link, source, temporary))) return undefined
    if (isLinkTo(link, source, path)) return undefined
    if (!replace && exists(path)) throw alreadyThere(key, ' and is no such link to the source')
    const linked = opened(temporary)
    if (modified && link === 'reflink') setModified(linked, modified) // the others share their time
    return linked
  }).then(stored => stored || isLinkTo(link, source, path))
}

/**
 * @param stage brings the bytes to `temporary`, or tells where in the same file system they are; undefined: nothing
 * is to be stored. @returns whether something was.
 */
async function storeFile(
  root: string,
  key: string,
  options: PutOptions,
  stage: (temporary: string, directory: string, meta: number) => Promise<Spooled | undefined>,
): Promise<boolean> {
  const path = join(root, key)
  const directory = stagingDirectory(root, path)
  const [temporary, meta] = [join(directory, temporaryName()), join(directory, temporaryName())]
  const metaFile = openSync(meta, 'wx')
  try {
    writeFileSync(metaFile, formatMetadata(options.metadata ?? {}))
    using bytes = await stage(temporary, directory, metaFile)
    if (bytes === undefined) return false
    const staged = {root, key, path, bytes: bytes.path, meta}
    await Promise.all([flushDescriptor(bytes.descriptor), flushDescriptor(metaFile)]) // at once: the file system's journal commits once
    await bytes.confirm?.()
    options.signal?.throwIfAborted()
    await inDirectory(root, dirname(path), () =>
      options.replace ? replaceObject(staged) : addObject(staged),
    )
    return true
  } finally {
    closeSync(metaFile)
    for (const file of [temporary, meta]) removeIfThere(file)
  }
}

/** The root, unless the object's directory is a mount or a link to another file system. */
function stagingDirectory(root: string, path: string): string {
  const {dev} = statSync(root)
  for (let directory = dirname(path); directory !== root; directory = dirname(directory)) {
    const found = statSync(directory, {throwIfNoEntry: false})
    if (found !== undefined) return found.dev === dev ? root : directory
  }
  return root
}

/** Does `work` in a directory that exists, also when a deletion removes it in the same moment, and makes all durable. */
async function inDirectory(root: string, directory: string, work: () => Promise<void>): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const created = mkdirSync(directory, {recursive: true})
    try {
      await work()
    } catch (error) {
      if (isMissing(error) && attempt < 10) continue
      if (created !== undefined) await removeEmptyParents(root, directory)
      throw error
    }
    const changed = [directory]
    if (created !== undefined) {
      for (let parent = directory; parent !== dirname(created);) changed.push((parent = dirname(parent)))
    }
    await Promise.all(changed.map(path => flushDirectory(path).catch(ignoreMissing))) // one that is gone again needs none
    return
  }
}

async function addObject(staged: Staged): Promise<void> {
  const {root, key, path} = staged
  // A .meta without its file: a crash left it, or pypicloud is in the middle of an upload.
  if (!exists(metaPath(path))) return linkObject(staged)
  await withLock(root, key, async stillHeld => {
    if (exists(path)) throw alreadyThere(key)
    stillHeld()
    await rm(metaPath(path), {force: true})
    await linkObject(staged)
  })
}

async function linkObject(staged: Staged): Promise<void> {
  const {key, path, bytes, meta} = staged
  const {ino} = lstatSync(bytes)
  try {
    linkSync(bytes, path)
  } catch (error) {
    if (errorCode(error) === 'EEXIST') throw alreadyThere(key)
    if (cannotLink(error)) return renameObject(staged)
    throw error
  }
  // Whoever has replaced or removed the file since has also decided about its metadata.
  if (found(path)?.ino !== ino) return
  try {
    linkSync(meta, metaPath(path))
  } catch (error) {
    if (errorCode(error) !== 'EEXIST' && !isMissing(error)) throw error
  }
}

/** Some network and container file systems have no hard links: there the lock decides, among processes of ours. */
const cannotLink = (error: unknown) =>
  ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'].includes(errorCode(error) ?? '')

async function renameObject({root, key, path, bytes, meta}: Staged): Promise<void> {
  await withLock(root, `${key}/new`, stillHeld => {
    if (exists(path)) throw alreadyThere(key)
    stillHeld()
    renameSync(bytes, path)
    renameSync(meta, metaPath(path))
  })
}

async function replaceObject({root, key, path, bytes, meta}: Staged): Promise<void> {
  await withLock(root, key, stillHeld => {
    stillHeld()
    // without a pause, in which a kill would leave the file without metadata
    removeIfThere(metaPath(path))
    renameSync(bytes, path)
    renameSync(meta, metaPath(path))
  })
}

/**
 * Bytes first: a crash in between leaves metadata that nobody reads and the next upload removes, never a file without
 * them. While they are there an upload waits for the lock; where there are none, what comes after the bytes is an
 * upload's and stays.
 */
export async function deleteFile(root: string, key: string): Promise<void> {
  const path = join(root, key)
  const removed = await withLock(root, key, async () => {
    const hadMetadata = exists(metaPath(path))
    const wasThere = await rm(path).then(() => true, ignoreMissing)
    if (hadMetadata) await rm(metaPath(path), {force: true})
    return wasThere
  })
  if (removed) await flushDirectory(dirname(path)).catch(ignoreMissing)
  const kept = await removeEmptyParents(root, dirname(path))
  if (removed && kept !== dirname(path)) await flushDirectory(kept).catch(ignoreMissing) // another deletion went further
}

/** @returns the first directory that is not empty, at most the root. */
async function removeEmptyParents(root: string, directory: string): Promise<string> {
  let current = directory
  for (; current !== root; current = dirname(current)) {
    try {
      await rmdir(current)
    } catch (error) {
      if (!isMissing(error)) break
    }
  }
  return current
}

/** Seconds as a floating point number fall short of most milliseconds by some nanoseconds: a copy of a copy would age. */
function setModified({descriptor}: Spooled, time: Date): void {
  const ms = time.getTime()
  const seconds = (ms % 1000 === 0 ? ms : ms + 0.0005) / 1000
  futimesSync(descriptor, seconds, seconds)
}

function removeIfThere(path: string): void {
  try {
    unlinkSync(path)
  } catch (error) {
    ignoreMissing(error)
  }
}

const alreadyThere = (key: string, more = '') => new ObjectExists(`${key} is already stored${more}`)
const found = (path: string): Stats | undefined => lstatSync(path, {throwIfNoEntry: false})
const exists = (path: string): boolean => found(path) !== undefined
const ignoreMissing = (error: unknown): undefined => {
  if (!isMissing(error)) throw error
}
