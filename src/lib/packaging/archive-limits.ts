import {InvalidInput} from '../errors.js'
import {quote} from './filenames.js'

// The biggest packages in public have some 30,000 files of a few GB.
export const mostEntries = 100_000
/** Of a zip's directory, and of all paths of an archive together: bytes. */
export const longestDirectory = 32 * 1024 * 1024
const longestPath = 4096 // bytes
/** Of all entries, decompressed: bytes. */
const largestTotal = 16 * 1024 ** 3
// As the public index: small archives of tables and zeros may be packed as tightly as they like.
const freeTotal = 64 * 1024 ** 2
const tightestRatio = 50

/** @throws {InvalidInput} when what unpacking writes is out of all proportion. `unpacked` and `packed` in bytes. */
export function checkUnpackedSize(unpacked: number, packed: number): void {
  if (unpacked > largestTotal) throw new InvalidInput(`it unpacks to more than ${largestTotal} bytes`)
  if (unpacked > freeTotal && unpacked > packed * tightestRatio)
    throw new InvalidInput(`it unpacks to more than ${tightestRatio} times its ${packed} bytes`)
}

/** The paths of an archive, each looked at before anybody would unpack it. */
export class ArchivePaths {
  readonly files = new Set<string>()
  #entries = 0
  #bytes = 0

  /** @throws {InvalidInput} for a path that leads out of the directory, that occurs twice or can't be one. Gives it normalised. */
  add(path: string, {isDirectory}: {isDirectory: boolean}): string {
    this.#entries += 1
    this.#bytes += Buffer.byteLength(path)
    if (this.#entries > mostEntries) throw new InvalidInput(`it has more than ${mostEntries} entries`)
    if (this.#bytes > longestDirectory)
      throw new InvalidInput(`its paths are longer than ${longestDirectory} bytes`)
    const plain = plainPath(path)
    if (isDirectory) return plain
    if (plain === '') throw new InvalidInput(`the path ${quote(path)} names no file`)
    if (this.files.has(plain)) throw new InvalidInput(`it has two entries ${quote(plain)}`)
    this.files.add(plain)
    return plain
  }
}

/** Without `.` and empty segments. @throws {InvalidInput} */
function plainPath(path: string): string {
  const fault =
    Buffer.byteLength(path) > longestPath
      ? `is longer than ${longestPath} bytes`
      : /\p{Cc}/u.test(path)
        ? 'holds control characters'
        : /^[/\\]|^[a-z]:/i.test(path)
          ? 'is absolute'
          : path.split(/[/\\]/).includes('..')
            ? 'leads out of its directory'
            : undefined
  if (fault !== undefined) throw new InvalidInput(`the path ${quote(path)} in it ${fault}`)
  return path
    .split('/')
    .filter(segment => segment !== '' && segment !== '.')
    .join('/')
}
