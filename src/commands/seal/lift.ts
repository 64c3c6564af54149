import {Args, Flags} from '@oclif/core'
import {NotFound} from '../../lib/errors.js'
import {nameArgument} from '../../lib/terminal/access-command.js'
import {configArgument, quietFlag, waitFlag} from '../../lib/terminal/command.js'
import {SealCommand} from '../../lib/terminal/seal-command.js'

export default class SealLift extends SealCommand {
  static override audit = 'seal.lift'
  static override summary = 'Let a sealed name be the upstream’s again.'
  static override description =
    'From then on, servers that run answer the name as pypi.fallback says: who installs it may get what somebody else has ' +
    'published under it. ppc explain says what that would be.'
  static override examples = ['<%= config.bin %> server.ini acme-core --yes']
  static override args = {
    config: Args.string(configArgument),
    name: nameArgument('name of the project, in any spelling'),
  }
  static override flags = {
    yes: Flags.boolean({char: 'y', summary: 'Do not ask.', default: false}),
    ...quietFlag,
    ...waitFlag,
  }

  async run(): Promise<{name: string}> {
    const {args, flags} = await this.parse(SealLift)
    this.quiet = flags.quiet
    const name = this.nameOf(args.name)
    return this.withNotes(args.config, flags.wait, async notes => {
      if (!(await notes.sealed()).has(name)) throw new NotFound(`${name} is not sealed`)
      await this.confirm(`Let ${name} lead to the upstream from now on?`, flags.yes)
      await notes.unseal(name)
      this.tell(`no longer sealed: ${name}`)
      return {name}
    })
  }
}
