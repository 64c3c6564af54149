import {Args, Flags} from '@oclif/core'
import {openBackends} from '../../lib/backends.js'
import {checkNewUser, getWriter, hashFor} from '../../lib/tasks/create-user.js'
import {randomPassword} from '../../lib/tasks/random-password.js'
import {PpcCommand, configArgument, waitFlag} from '../../lib/terminal/command.js'
import {askNewPassword, canPrompt, refuseToGuess} from '../../lib/terminal/prompts.js'
import {readSecret, readSecretFile} from '../../lib/terminal/secrets.js'

interface Created {
  readonly username: string
  readonly admin: boolean
  /** Only of --generate. */
  readonly password?: string
}

export default class UserCreate extends PpcCommand {
  static override summary = 'Create a user, or an administrator.'
  static override description =
    'For access backends that can be written, such as pypi.auth = sql. Asks for the password twice, unless told where ' +
    'to get it.'
  static override examples = [
    '<%= config.bin %> --admin server.ini ada',
    'printf %s "$PASSWORD" | <%= config.bin %> --password-stdin server.ini bob',
    '<%= config.bin %> --generate server.ini ci',
  ]
  static override enableJsonFlag = true
  static override args = {
    config: Args.string(configArgument),
    name: Args.string({required: true, ignoreStdin: true, description: 'name of the new user'}),
  }
  static override flags = {
    admin: Flags.boolean({summary: 'Make it an administrator, who may do everything.', default: false}),
    'password-stdin': Flags.boolean({
      summary: 'Read the password from the first line of stdin.',
      exclusive: ['password-file', 'generate'],
    }),
    'password-file': Flags.string({
      summary: 'Read the password from the first line of this file.',
      helpValue: 'FILE',
      exclusive: ['generate'],
    }),
    generate: Flags.boolean({summary: 'Make up a password and print it.'}),
    ...waitFlag,
  }

  async run(): Promise<Created> {
    const {args, flags} = await this.parse(UserCreate)
    const config = await this.readConfig(args.config)
    await using backends = await this.waitFor(flags.wait, () => openBackends(config, ['access']))
    const writer = getWriter(backends.access, config)
    const {name: username} = args
    const {admin, generate} = flags
    await checkNewUser(backends.access, username)
    const password = await this.getPassword(flags)
    const passwordHash = await hashFor(config, password)
    await writer.addAccount({username, admin, pending: false, passwordHash})
    this.tell(`Created the ${admin ? 'administrator' : 'user'} ${username}.`)
    if (!generate) return {username, admin}
    this.log(password)
    return {username, admin, password}
  }

  private async getPassword(flags: {
    'password-stdin'?: boolean
    'password-file'?: string | undefined
    generate?: boolean
  }): Promise<string> {
    if (flags['password-stdin']) return readSecret(process.stdin)
    if (flags['password-file'] !== undefined) return readSecretFile(flags['password-file'])
    if (flags.generate) return randomPassword()
    if (!canPrompt()) refuseToGuess(['--password-stdin, --password-file or --generate'])
    return askNewPassword()
  }
}
