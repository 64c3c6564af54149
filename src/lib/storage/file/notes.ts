import {createHash} from 'node:crypto'
import {readFileSync, statSync} from 'node:fs'
import {rename, rm, writeFile} from 'node:fs/promises'
import {basename, join} from 'node:path'
import {isMissing, storageFailure} from './errors.js'
import {flush} from '../../flush.js'
import {withLock} from './lock.js'
import {temporaryName} from './names.js'
import type {RemovableText} from '../storage.js'

/** In the root of the store. The ending hides it from pypicloud's listing as from ours. */
const ending = '.meta'

export class FileNotes implements RemovableText {
  readonly #path: string

  constructor(
    private readonly directory: string,
    private readonly name = 'ppc-toolkit.notes',
  ) {
    this.#path = join(directory, `${name}${ending}`)
  }

  beside(name: string): FileNotes {
    return new FileNotes(this.directory, `${this.name}.${name}`)
  }

  async remove(): Promise<void> {
    try {
      await rm(this.#path, {force: true})
    } catch (error) {
      throw storageFailure(error, this.#path)
    }
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- read at every upload: see read.ts
  async read(): Promise<{text: string; version: string} | undefined> {
    try {
      // mostly it is not there, and to make an error takes ten times as long as to look
      if (statSync(this.#path, {throwIfNoEntry: false}) === undefined) return undefined
      const text = readFileSync(this.#path, 'utf8')
      return {text, version: createHash('sha256').update(text).digest('hex')}
    } catch (error) {
      if (isMissing(error)) return undefined
      throw storageFailure(error, this.#path)
    }
  }

  async write(text: string, expected: string | undefined): Promise<boolean> {
    const {directory} = this
    const temporary = join(directory, temporaryName())
    try {
      return await withLock(directory, basename(this.#path), async stillHeld => {
        if ((await this.read())?.version !== expected) return false
        await writeFile(temporary, text, {flush: true})
        stillHeld()
        await rename(temporary, this.#path)
        await flush(directory)
        return true
      })
    } catch (error) {
      throw storageFailure(error, this.#path)
    } finally {
      await rm(temporary, {force: true})
    }
  }
}
