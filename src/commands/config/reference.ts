import {configReference} from '../../lib/config/reference.js'
import {PpcCommand} from '../../lib/terminal/command.js'

export default class ConfigReference extends PpcCommand {
  static override summary = 'Print every key that a config can hold, as Markdown.'
  static override examples = ['<%= config.bin %> > reference.md']

  async run(): Promise<void> {
    await this.parse(ConfigReference)
    process.stdout.write(configReference())
  }
}
