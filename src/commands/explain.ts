import {Args, Flags} from '@oclif/core'
import {openBackends} from '../lib/backends.js'
import {UsageError} from '../lib/errors.js'
import {listMixedNames} from '../lib/index/mixed-names.js'
import {Notes} from '../lib/index/notes.js'
import {OriginPolicy} from '../lib/index/origin.js'
import {explainName, type NameExplanation} from '../lib/tasks/explain-name.js'
import {AccessCommand} from '../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../lib/terminal/command.js'

export default class Explain extends AccessCommand {
  static override summary = 'Explain where a name would come from, this index or the upstream, and why.'
  static override description =
    'Decides as the server does, and shows what the decision rests on. The project need not exist, and the upstream is not ' +
    'asked about it without --ask. Without --user the answer is for somebody who may read it and store upstream files.'
  static override examples = [
    '<%= config.bin %> server.ini requests',
    '<%= config.bin %> server.ini acme-core --user bob --json',
    '<%= config.bin %> server.ini --mixed',
  ]
  static override args = {
    config: Args.string(configArgument),
    name: Args.string({ignoreStdin: true, description: 'name of the project, in any spelling'}),
  }
  static override flags = {
    user: Flags.string({
      char: 'u',
      summary: 'For that user; "everyone" stands for whoever is not logged in.',
      helpValue: 'NAME',
    }),
    ask: Flags.boolean({summary: 'Ask the upstream what it has, if a server would.', default: false}),
    mixed: Flags.boolean({
      summary: 'List the published names that pypi.always_show_upstream mixes with the upstream.',
      default: false,
      exclusive: ['user', 'ask'],
    }),
    ...waitFlag,
  }

  async run(): Promise<NameExplanation | {mixed: string[]}> {
    const {args, flags} = await this.parse(Explain)
    if (flags.mixed === (args.name !== undefined)) {
      throw new UsageError('name a project to explain, or --mixed without one')
    }
    const config = await this.readConfig(args.config)
    const parts = ['storage', 'cache'] as const
    if (args.name === undefined) {
      await using opened = await this.waitFor(flags.wait, () => openBackends(config, parts))
      const origin = new OriginPolicy({config, cache: opened.cache, notes: new Notes(opened.storage)})
      const mixed = await listMixedNames(opened.cache, origin)
      this.logTable(mixed.map(name => [name]))
      return {mixed}
    }
    await using opened = await this.waitFor(flags.wait, () =>
      flags.user === undefined ? openBackends(config, parts) : openBackends(config, [...parts, 'access']),
    )
    const explanation = await explainName(opened, config, args.name, flags)
    if (!this.jsonEnabled()) {
      this.log(`${explanation.project}: ${explanation.verdict}`)
      for (const fact of explanation.facts) this.log(`  ${fact}`)
    }
    return explanation
  }
}
