import {Args, Flags} from '@oclif/core'
import {NotInThisVersion} from '../lib/errors.js'
import {PpcCommand, configArgument} from '../lib/terminal/command.js'

export default class BuildLambdaBundle extends PpcCommand {
  static override summary = 'Build the Lambda that feeds caches from a bucket (not in this version yet).'
  static override examples = ['<%= config.bin %> server.ini -o bundle.zip']
  static override args = {config: Args.string(configArgument)}
  static override flags = {
    output: Flags.string({
      char: 'o',
      helpValue: 'FILE',
      summary: 'Where to write the bundle.',
      default: 'output.zip',
    }),
  }

  async run(): Promise<void> {
    await this.parse(BuildLambdaBundle)
    throw new NotInThisVersion("this version can't build the Lambda bundle yet")
  }
}
