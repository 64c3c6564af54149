import {openBackends} from '../backends.js'
import {InvalidInput, NotKept} from '../errors.js'
import {Notes} from '../index/notes.js'
import {quote} from '../packaging/filenames.js'
import {isProjectName, normalizeName} from '../packaging/names.js'
import {AccessCommand} from './access-command.js'

/** Looks at the names that are kept from the upstream because they were published here once, or changes which. */
export abstract class SealCommand extends AccessCommand {
  protected async withNotes<T>(
    path: string,
    waitSeconds: number,
    work: (notes: Notes) => Promise<T>,
  ): Promise<T> {
    const config = await this.readConfig(path)
    await using backends = await this.waitFor(waitSeconds, () => openBackends(config, ['storage']))
    const notes = new Notes(backends.storage)
    if (!notes.areKept) {
      throw new NotKept(`${backends.storage.name} has no place where sealed names could be kept`)
    }
    return await work(notes)
  }

  /** @throws {InvalidInput} */
  protected nameOf(text: string): string {
    if (!isProjectName(text)) throw new InvalidInput(`${quote(text)} can not be the name of a project`)
    return normalizeName(text)
  }
}
