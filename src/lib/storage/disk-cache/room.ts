import {randomUUID} from 'node:crypto'
import {lstat, mkdir, open, readdir, rename, rm, type FileHandle} from 'node:fs/promises'
import {dirname, join, resolve} from 'node:path'
import pLimit from 'p-limit'
import {StorageFailed} from '../../errors.js'
import {errorCode, systemReason} from '../file/errors.js'

/** Room for one file that is being filled. It ends with `keep` or `release`. */
export interface Place {
  readonly path: string
  readonly file: FileHandle
  /** The file becomes one of the cache, under `path`. */
  keep(path: string): Promise<void>
  release(): Promise<void>
}

interface Found {
  readonly path: string
  /** Bytes. */
  readonly size: number
  /** Milliseconds. */
  readonly lastUse: number
}

/** A file that is being filled and was not written to for so long, in ms, is left over. */
const abandonedAfter = 10 * 60_000
/** A count is good for so many times what it took: a small directory is counted each time, a large one now and then. */
const countsAreGoodFor = 10
/** With so many files, evicting makes a little more room than needed, since counting takes a while. */
const manyFiles = 2000

/**
 * Keeps a directory within its size. A file that is about to be filled has its final size from the beginning, without
 * taking disk space: so each process counts what all others are about to write, before it writes itself.
 */
export class CacheRoom {
  readonly #root: string
  readonly #maxSize: number
  readonly #oneByOne = pLimit(1)
  /** Names of what this process fills. */
  readonly #mine = new Set<string>()
  #total = 0
  #countedAt = -Infinity
  #countTook = 0

  private constructor(root: string, maxSize: number) {
    this.#root = root
    this.#maxSize = maxSize
  }

  /** Everything lies in one folder of ours in `directory`: nothing else there is counted or removed. @throws {StorageFailed} */
  static async open(directory: string, maxSize: number): Promise<CacheRoom> {
    const root = join(resolve(directory), 'ppc-disk-cache')
    const room = new CacheRoom(root, maxSize)
    try {
      for (const path of [root, join(root, 'files'), join(root, 'filling')]) {
        await mkdir(path, {recursive: true, mode: 0o700})
      }
      const {uid, mode} = await lstat(root)
      if (process.getuid !== undefined && (uid !== process.getuid() || (mode & 0o077) !== 0)) {
        throw new StorageFailed(`${root} is open to other users of this machine, who could change packages`, {
          hint: 'Remove it, or make it this user’s own with chmod 700.',
        })
      }
      await room.#makeRoom()
    } catch (error) {
      if (error instanceof StorageFailed) throw error
      throw new StorageFailed(`the directory ${root} can't be used: ${systemReason(error)}`, {cause: error})
    }
    return room
  }

  pathOf(name: string): string {
    return join(this.#root, 'files', name.slice(0, 2), name)
  }

  /** @returns undefined where there can't be room. @throws what the file system says. */
  async reserve(size: number): Promise<Place | undefined> {
    if (size > this.#maxSize) return undefined
    const name = `${process.pid}-${randomUUID()}`
    const path = join(this.#root, 'filling', name)
    this.#mine.add(name)
    let file: FileHandle | undefined
    const release = async (): Promise<void> => {
      await file?.close().catch(() => undefined)
      await rm(path, {force: true}).catch(() => undefined)
      this.#mine.delete(name)
      this.#total -= size
    }
    this.#total += size
    try {
      file = await this.#create(path)
      await file.truncate(size)
      if (await this.#oneByOne(() => this.#fits())) {
        const filled = file
        return {path, file, release, keep: target => this.#keep(name, filled, path, target)}
      }
    } catch (error) {
      await release()
      throw error
    }
    await release()
    return undefined
  }

  async #create(path: string): Promise<FileHandle> {
    try {
      return await open(path, 'wx', 0o600)
    } catch (error) {
      if (errorCode(error) !== 'ENOENT') throw error
      await mkdir(dirname(path), {recursive: true, mode: 0o700}) // somebody has emptied the directory
      return open(path, 'wx', 0o600)
    }
  }

  async #keep(name: string, file: FileHandle, path: string, target: string): Promise<void> {
    await file.close()
    await mkdir(dirname(target), {recursive: true, mode: 0o700})
    await rename(path, target)
    this.#mine.delete(name)
  }

  async #fits(): Promise<boolean> {
    const isFresh = performance.now() - this.#countedAt < countsAreGoodFor * this.#countTook
    if (isFresh && this.#total <= this.#maxSize) return true
    return this.#makeRoom()
  }

  /** Counts, removes leftovers and then what was not used for longest. @returns whether all that is left fits. */
  async #makeRoom(): Promise<boolean> {
    const start = performance.now()
    const filling = await this.#list(join(this.#root, 'filling'))
    let total = 0
    for (const found of filling) {
      if (this.#isLeftover(found)) await rm(found.path, {force: true})
      else total += found.size
    }
    const files: Found[] = []
    for (const folder of await readdir(join(this.#root, 'files')).catch((): string[] => [])) {
      for (const found of await this.#list(join(this.#root, 'files', folder))) {
        files.push(found)
        total += found.size
      }
    }
    this.#countedAt = performance.now()
    this.#countTook = this.#countedAt - start
    if (total > this.#maxSize) {
      const enough = files.length > manyFiles ? this.#maxSize * 0.95 : this.#maxSize
      files.sort((a, b) => a.lastUse - b.lastUse)
      for (const {path, size} of files) {
        if (total <= enough) break
        await rm(path, {force: true}) // who reads it has it open
        total -= size
      }
    }
    this.#total = total
    return total <= this.#maxSize
  }

  async #list(folder: string): Promise<Found[]> {
    const names = await readdir(folder).catch((): string[] => [])
    const found = await Promise.all(
      names.map(async name => {
        const path = join(folder, name)
        const stats = await lstat(path).catch(() => undefined) // it went meanwhile
        return stats?.isFile() ? [{path, size: stats.size, lastUse: stats.mtimeMs}] : []
      }),
    )
    return found.flat()
  }

  /** Of a process that is gone, or of one in another container that has forgotten it. */
  #isLeftover({path, lastUse}: Found): boolean {
    const name = path.slice(path.lastIndexOf('/') + 1)
    if (this.#mine.has(name)) return false
    return Date.now() - lastUse > abandonedAfter || !isAlive(Number(name.split('-')[0]))
  }
}

function isAlive(pid: number): boolean {
  if (pid === process.pid) return false // not one of mine: of a namesake before
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) === 'EPERM'
  }
}
