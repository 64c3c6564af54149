import {createHash} from 'node:crypto'
import {readFile, rename, rm, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {isMissing, storageFailure} from './errors.js'
import {flush} from './flush.js'
import {withLock} from './lock.js'
import {temporaryName} from './names.js'
import type {DurableText} from '../storage.js'

/** In the root of the store. The ending hides it from pypicloud's listing as from ours. */
const notesName = 'ppc-toolkit.notes.meta'

export class FileNotes implements DurableText {
  readonly #path: string

  constructor(directory: string) {
    this.#path = join(directory, notesName)
  }

  async read(): Promise<{text: string; version: string} | undefined> {
    try {
      const text = await readFile(this.#path, 'utf8')
      return {text, version: createHash('sha256').update(text).digest('hex')}
    } catch (error) {
      if (isMissing(error)) return undefined
      throw storageFailure(error, this.#path)
    }
  }

  async write(text: string, expected: string | undefined): Promise<boolean> {
    const directory = dirname(this.#path)
    const temporary = join(directory, temporaryName())
    try {
      return await withLock(directory, notesName, async stillHeld => {
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
