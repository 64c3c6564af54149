import {constants, linkSync, lstatSync, realpathSync, statSync, symlinkSync} from 'node:fs'
import {copyFile} from 'node:fs/promises'
import {errorCode} from './errors.js'
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

/** Whether `path` is there as such a link to `source`. Never of a reflink: it can't be told from a copy. */
export function isLinkTo(kind: LinkKind, source: string, path: string): boolean {
  const here = lstatSync(path, {throwIfNoEntry: false})
  if (here === undefined || kind === 'reflink') return false
  if (here.isSymbolicLink() !== (kind === 'symlink')) return false
  const [one, other] = [source, path].map(name => statSync(name, {throwIfNoEntry: false}))
  return one !== undefined && one.dev === other?.dev && one.ino === other.ino
}
