import {Args} from '@oclif/core'
import {readFile} from 'node:fs/promises'
import {PpcCommand} from '../lib/terminal/command.js'

export default class Completion extends PpcCommand {
  static override summary = 'Print the completion script of a shell.'
  static override examples = [
    'source <(<%= config.bin %> bash)',
    '<%= config.bin %> zsh > ~/.zfunc/_ppc',
    '<%= config.bin %> fish > ~/.config/fish/completions/ppc.fish',
  ]
  static override args = {
    shell: Args.string({
      required: true,
      ignoreStdin: true,
      options: ['bash', 'zsh', 'fish'],
      description: 'the shell to complete in',
    }),
  }

  async run(): Promise<void> {
    const {args} = await this.parse(Completion)
    // Written by the build, which knows all commands.
    process.stdout.write(await readFile(new URL(`../../completion/${args.shell}`, import.meta.url), 'utf8'))
  }
}
