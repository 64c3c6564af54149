import {createHash, randomUUID} from 'node:crypto'
import {opendir, lstat, rm, rmdir} from 'node:fs/promises'
import {join} from 'node:path'

/**
 * Everything of ours in the directory ends in `.meta`, wherever it lies and however briefly: pypicloud's listing
 * skips such names, and dies on every other file that is not at `name/version/file`.
 */
export const metaEnding = '.meta'
export const metaPath = (path: string): string => path + metaEnding

/** A new name for a file that is still being written, in the root of a store or in its `spoolDirectory`. */
export const temporaryName = (): string => `.ppc-upload-${randomDigits()}${metaEnding}`
/** 16 hex digits. Node draws randomness for 128 UUIDs at once, for bytes each time. */
const randomDigits = () => randomUUID().replaceAll('-', '').slice(-16)

/** The name of the lock, a directory, under which an object is replaced. */
export const lockName = (key: string): string =>
  `.ppc-lock-${createHash('sha256').update(key).digest('hex').slice(0, 16)}${metaEnding}`

const temporary = /^\.ppc-(?:upload|lock)-[0-9a-f]{16}\.meta$/
/** What `temporaryName` and `lockName` give. */
export const isOwnTemporary = (name: string): boolean => temporary.test(name)
const hourMs = 3_600_000

/** What pypicloud names a file that it is still writing: `.metadata.<8hex>`, `.<filename>.<8hex>`. */
export const isPypicloudTemporary = (name: string): boolean => /^\..+\.[0-9a-f]{8}$/.test(name)

/** Removes what a crash left more than an hour ago. The age is the inode's: `mtime` may be that of a migrated file. */
export async function removeLeftovers(directory: string): Promise<void> {
  for await (const entry of await opendir(directory, {bufferSize: 1024})) {
    if (!isOwnTemporary(entry.name)) continue
    const path = join(directory, entry.name)
    try {
      const {ctimeMs} = await lstat(path)
      if (Date.now() - ctimeMs < hourMs) continue
      await (entry.isDirectory() ? rmdir(path) : rm(path))
    } catch {
      // somebody else has removed it, or nobody may: it harms no listing
    }
  }
}
