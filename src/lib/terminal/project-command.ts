import {Flags} from '@oclif/core'
import {openBackends} from '../backends.js'
import {Notes} from '../index/notes.js'
import {ProjectNotes} from '../index/project-notes.js'
import {PpcCommand} from './command.js'

export const reasonFlag = {
  reason: Flags.string({char: 'r', summary: 'Shown to who meets it.', helpValue: 'TEXT'}),
}

/** Looks at what is noted of a project, or changes it, while servers run: they show it at once. */
export abstract class ProjectCommand extends PpcCommand {
  static override enableJsonFlag = true

  protected async withProjects<T>(
    path: string,
    waitSeconds: number,
    work: (projects: ProjectNotes) => Promise<T>,
  ): Promise<T> {
    const config = await this.readConfig(path)
    await using backends = await this.waitFor(waitSeconds, () => openBackends(config, ['storage', 'cache']))
    return await work(new ProjectNotes(new Notes(backends.storage), backends.cache))
  }
}
