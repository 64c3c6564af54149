import {Args} from '@oclif/core'
import {readConfig} from '../../lib/config/config.js'
import {formatProblem} from '../../lib/config/problems.js'
import {ExitCode} from '../../lib/errors.js'
import {PpcCommand, configArgument} from '../../lib/terminal/command.js'

interface Findings {
  readonly file: string
  readonly warnings: readonly string[]
}

export default class ConfigCheck extends PpcCommand {
  static override summary = 'Read a config as the other commands would, and say what is wrong with it.'
  static override description =
    'Opens no database and no storage. The exit code is 0 when all is well, 2 for errors, 4 when there are only warnings.'
  static override examples = ['<%= config.bin %> server.ini']
  static override enableJsonFlag = true
  static override args = {config: Args.string(configArgument)}

  async run(): Promise<Findings> {
    const {args} = await this.parse(ConfigCheck)
    const config = await readConfig(args.config)
    const warnings = config.warnings.map(formatProblem)
    for (const warning of warnings) this.log(warning)
    if (warnings.length > 0) process.exitCode = ExitCode.findings
    else this.tell(`${config.file} is fine`)
    return {file: config.file, warnings}
  }
}
