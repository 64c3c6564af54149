import {createHash, randomBytes} from 'node:crypto'
import {closeSync, constants, fstatSync, lstatSync, mkdirSync, openSync, readSync, writeSync} from 'node:fs'
import {tmpdir} from 'node:os'
import {join} from 'node:path'

const slots = 4096
/** Bytes. */
const slotSize = 8
/** How long a file that something has cleaned away may go unnoticed. */
const checkEveryMs = 1000

/**
 * Tells the processes of one user on one host of each other's writes, where asking the server on every request would
 * cost a round trip: a file in the temporary directory with a random number for each of some thousand names, written
 * anew after every change. A reading costs about a microsecond.
 *
 * It only makes changes visible sooner. Where there is no such file, or another user's process writes, whatever notices
 * the changes of other hosts notices those too.
 */
export class HostCounter implements Disposable {
  #file: number | undefined
  #checkedAt = -Infinity
  readonly #path: string | undefined

  /** @param what is watched, the same text in every process: `dynamodb://eu-west-1/DynamoPackage`. */
  constructor(what: string) {
    const directory = privateDirectory()
    const name = createHash('sha256').update(what).digest('hex').slice(0, 32)
    this.#path = directory && join(directory, `${name}.changes`)
  }

  /** A text that is another one after `bump` of `name`, in whichever process; seldom also after that of another name. */
  read(name: string): string {
    const file = this.#open()
    if (file === undefined) return ''
    const slot = Buffer.alloc(slotSize)
    try {
      readSync(file, slot, 0, slotSize, offsetOf(name))
    } catch {
      return ''
    }
    return slot.toString('base64url')
  }

  bump(names: Iterable<string>): void {
    const file = this.#open()
    if (file === undefined) return
    for (const offset of new Set(Array.from(names, offsetOf))) {
      try {
        writeSync(file, randomBytes(slotSize), 0, slotSize, offset)
      } catch {
        return // a full disk: the others notice within a second
      }
    }
  }

  [Symbol.dispose](): void {
    if (this.#file !== undefined) closeSync(this.#file)
    this.#file = undefined
    this.#checkedAt = Infinity
  }

  /** Opens the file again when it was deleted or replaced, else two groups of processes would each have one. */
  #open(): number | undefined {
    const now = performance.now()
    if (this.#path === undefined || now - this.#checkedAt < checkEveryMs) return this.#file
    this.#checkedAt = now
    try {
      if (this.#file !== undefined) {
        if (fstatSync(this.#file).nlink > 0) return this.#file
        closeSync(this.#file)
        this.#file = undefined
      }
      const flags = constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW
      this.#file = openSync(this.#path, flags, 0o600)
    } catch {
      // no room or no right: then without
    }
    return this.#file
  }
}

/** Ours alone, since everybody may put a link into the temporary directory. Undefined where that can't be had. */
function privateDirectory(): string | undefined {
  const user = process.getuid?.()
  const path = join(tmpdir(), `ppc-toolkit-${user ?? 'user'}`)
  try {
    mkdirSync(path, {recursive: true, mode: 0o700})
    const {uid, mode} = lstatSync(path) // of the link itself, were it one
    const isOurs =
      lstatSync(path).isDirectory() && (user === undefined || (uid === user && (mode & 0o022) === 0))
    return isOurs ? path : undefined
  } catch {
    return undefined
  }
}

function offsetOf(name: string): number {
  let hash = 0
  for (let index = 0; index < name.length; index++)
    hash = (Math.imul(hash, 31) + name.charCodeAt(index)) >>> 0
  return (hash % slots) * slotSize
}
