import {Args, Flags} from '@oclif/core'
import {UsageError} from '../lib/errors.js'
import {leastRights} from '../lib/tasks/s3-sync/policies.js'
import {PpcCommand, configArgument} from '../lib/terminal/command.js'

export default class IamPolicy extends PpcCommand {
  static override summary = 'Print the least rights in AWS that a config needs, as a policy of IAM.'
  static override description =
    'For the role or user of the server, of tools that only read the bucket (ppc-rebuild-cache, ppc sync-replay, ppc verify ' +
    'without --repair), or of the Lambda, whose own log and queue ppc-create-s3-sync adds. Asks nobody.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> server.ini',
    '<%= config.bin %> <%= command.id %> server.ini --for lambda',
  ]
  static override args = {config: Args.string(configArgument)}
  static override flags = {
    for: Flags.option({
      options: ['server', 'rebuild', 'lambda'] as const,
      summary: 'Who needs them.',
      default: 'server' as const,
    })(),
  }

  async run(): Promise<void> {
    const {args, flags} = await this.parse(IamPolicy)
    const config = await this.readConfig(args.config)
    const policy = leastRights(config, flags.for)
    if (policy.Statement.length === 0) {
      throw new UsageError(`${config.file}: nothing of it is in AWS: neither storage, cache nor access`)
    }
    process.stdout.write(`${JSON.stringify(policy, undefined, 2)}\n`)
  }
}
