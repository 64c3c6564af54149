import {Args, Flags} from '@oclif/core'
import {NotInThisVersion} from '../lib/errors.js'
import {PpcCommand, configArgument} from '../lib/terminal/command.js'

export default class CreateS3Sync extends PpcCommand {
  static override summary = 'Set up the Lambda that feeds caches from a bucket (not in this version yet).'
  static override examples = ['<%= config.bin %> server.ini -r eu-central-1']
  static override args = {config: Args.string(configArgument)}
  static override flags = {
    name: Flags.string({char: 'n', summary: 'Name of the Lambda function.', default: 'pypicloud_s3_sync'}),
    force: Flags.boolean({char: 'f', summary: 'Replace a function of that name.'}),
    'role-arn': Flags.string({
      char: 'a',
      helpValue: 'ARN',
      summary: 'Role of the function, instead of a new one.',
    }),
    region: Flags.string({char: 'r', summary: "Region, instead of the config's."}),
  }

  async run(): Promise<void> {
    await this.parse(CreateS3Sync)
    throw new NotInThisVersion("this version can't set up the Lambda yet")
  }
}
