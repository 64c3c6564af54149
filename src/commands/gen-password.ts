import {Flags} from '@oclif/core'
import {hashPassword, passwordSchemes} from '../lib/access/passwords/index.js'
import {PpcCommand} from '../lib/terminal/command.js'
import {askNewPassword, canPrompt, refuseToGuess} from '../lib/terminal/prompts.js'
import {readSecret} from '../lib/terminal/secrets.js'

export default class GenPassword extends PpcCommand {
  static override summary = 'Print the salted hash of a password.'
  static override description =
    'Asks twice without showing what is typed. The hash goes to stdout: as "user.NAME = HASH" it belongs into a config ' +
    'with pypi.auth = config.'
  static override examples = [
    '<%= config.bin %>',
    'printf %s "$PASSWORD" | <%= config.bin %> -i',
    '<%= config.bin %> -s argon2',
  ]
  static override flags = {
    stdin: Flags.boolean({char: 'i', summary: 'Read the first line of stdin instead of asking.'}),
    scheme: Flags.option({
      char: 's',
      options: passwordSchemes,
      summary: 'How to hash.',
      default: 'sha512_crypt',
    })(),
    rounds: Flags.integer({
      char: 'r',
      min: 1,
      summary: "How often to hash; without it the scheme's default. Too few become the scheme's least.",
    }),
  }

  async run(): Promise<void> {
    const {flags} = await this.parse(GenPassword)
    if (!flags.stdin && !canPrompt()) refuseToGuess(['--stdin'])
    const password = flags.stdin ? await readSecret(process.stdin) : await askNewPassword()
    const {scheme, rounds} = flags
    this.log(await hashPassword(password, rounds === undefined ? {scheme} : {scheme, rounds}))
  }
}
