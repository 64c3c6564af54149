import {Args} from '@oclif/core'
import {nameArgument} from '../../lib/terminal/access-command.js'
import {configArgument, quietFlag, waitFlag} from '../../lib/terminal/command.js'
import {SealCommand} from '../../lib/terminal/seal-command.js'

export default class SealAdd extends SealCommand {
  static override audit = 'seal.add'
  static override summary = 'Keep a name from the upstream, as if it had been published and deleted here.'
  static override description =
    'For names that another server or pypicloud deleted. Publishing a file of that name lifts the seal.'
  static override examples = ['<%= config.bin %> server.ini acme-core']
  static override args = {
    config: Args.string(configArgument),
    name: nameArgument('name of the project, in any spelling'),
  }
  static override flags = {...quietFlag, ...waitFlag}

  async run(): Promise<{name: string; changed: boolean}> {
    const {args, flags} = await this.parse(SealAdd)
    this.quiet = flags.quiet
    const name = this.nameOf(args.name)
    return this.withNotes(args.config, flags.wait, async notes => {
      const changed = !(await notes.sealed()).has(name)
      if (changed) await notes.seal([name])
      this.tell(changed ? `sealed: ${name}` : `${name} is sealed already`)
      return {name, changed}
    })
  }
}
