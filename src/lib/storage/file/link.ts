import {constants, linkSync, lstatSync, realpathSync, statSync, symlinkSync} from 'node:fs'
import {copyFile} from 'node:fs/promises'
import {basename, dirname} from 'node:path'
import {errorCode, isMissing} from './errors.js'
import type {LinkKind} from '../storage.js'

/** What file systems say that have no such links, or not between these two places. */
const impossible = new Set([
  ...['EXDEV', 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EINVAL', 'ENOTTY', 'EMLINK'],
])

/**
 * Makes `path` a link to `source`, a regular file or a link to one. @returns false where the file system can't.
 * A reflink has its own time and rights and shares only the blocks; the others are the source's file itself.
 */
export async function linkFile(kind: LinkKind, source: string, path: string): Promise<boolean> {
  const original = realpathSync(source)
  try {
    if (kind === 'hard') linkSync(original, path)
    else if (kind === 'symlink') symlinkSync(original, path)
    else await copyFile(original, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE)
    return true
  } catch (error) {
    if (impossible.has(errorCode(error) ?? '')) return false
    throw error
  }
}

/**
 * Whether `path` is there as such a link to `source`, or is the file that `source` leads to. Never of a reflink: it can't
 * be told from a copy.
 */
export function isLinkTo(kind: LinkKind, source: string, path: string): boolean {
  const here = lstatSync(path, {throwIfNoEntry: false})
  if (here === undefined || kind === 'reflink') return false
  if (here.isSymbolicLink() !== (kind === 'symlink')) {
    return !here.isSymbolicLink() && isSameEntry(source, path) // a link to itself in its place would lose it
  }
  const [one, other] = [source, path].map(name => statSync(name, {throwIfNoEntry: false}))
  return one !== undefined && one.dev === other?.dev && one.ino === other.ino
}

/**
 * Whether both paths lead to one entry of one directory, through symbolic links or mounts: with it the bytes go. A hard
 * link is an entry of its own.
 */
export function isSameEntry(one: string, other: string): boolean {
  const [first, second] = [entryOf(one), entryOf(other)]
  return first !== undefined && first === second
}

function entryOf(path: string): string | undefined {
  try {
    const real = realpathSync(path)
    const {dev, ino} = statSync(dirname(real), {bigint: true})
    return [dev, ino, basename(real)].join('/')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}
