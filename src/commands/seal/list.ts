import {Args} from '@oclif/core'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'
import {SealCommand} from '../../lib/terminal/seal-command.js'

export default class SealList extends SealCommand {
  static override summary =
    'List the names that never lead to the upstream because they were published here once.'
  static override description =
    'A name is sealed when its last file of our own is deleted. Names that the config reserves ' +
    '(pypi.private, pypi.disallow_fallback) need no seal and are not listed.'
  static override examples = ['<%= config.bin %> server.ini', '<%= config.bin %> server.ini --json']
  static override args = {config: Args.string(configArgument)}
  static override flags = {...waitFlag}

  async run(): Promise<{seals: {name: string; since: string | null}[]}> {
    const {args, flags} = await this.parse(SealList)
    const found = await this.withNotes(args.config, flags.wait, notes => notes.listSeals())
    const seals = found.map(({name, since}) => ({name, since: since ?? null}))
    this.logTable(seals.map(({name, since}) => [name, since === null ? '' : `since ${since.slice(0, 10)}`]))
    return {seals}
  }
}
