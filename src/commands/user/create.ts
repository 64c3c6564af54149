import {Args, Flags} from '@oclif/core'
import {getWriter} from '../../lib/tasks/access-writer.js'
import {checkNewUser, hashFor} from '../../lib/tasks/create-user.js'
import {AccessCommand, nameArgument, passwordFlags} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'

interface Created {
  readonly username: string
  readonly admin: boolean
  /** Only of --generate. */
  readonly password?: string
}

export default class UserCreate extends AccessCommand {
  static override audit = 'user.create'
  static override summary = 'Create a user, or an administrator.'
  static override description =
    'For access backends that can be written, such as pypi.auth = sql. Asks for the password twice, unless told where ' +
    'to get it.'
  static override examples = [
    '<%= config.bin %> --admin server.ini ada',
    'printf %s "$PASSWORD" | <%= config.bin %> --password-stdin server.ini bob',
    '<%= config.bin %> --generate server.ini ci',
  ]
  static override args = {config: Args.string(configArgument), name: nameArgument('name of the new user')}
  static override flags = {
    admin: Flags.boolean({summary: 'Make it an administrator, who may do everything.', default: false}),
    ...passwordFlags,
    ...waitFlag,
  }

  async run(): Promise<Created> {
    const {args, flags} = await this.parse(UserCreate)
    const {name: username} = args
    const {admin, generate} = flags
    return this.withAccess(args.config, flags.wait, async (access, config) => {
      const lines = `"user.${username} = HASH", with a hash from ppc-gen-password`
      const writer = getWriter(
        access,
        config,
        `put ${lines} into it${admin ? `, and ${username} into auth.admins` : ''}`,
      )
      await checkNewUser(access, username)
      const password = await this.getPassword(flags)
      const passwordHash = await hashFor(config, password)
      await writer.addAccount({username, admin, pending: false, passwordHash})
      this.tell(`Created the ${admin ? 'administrator' : 'user'} ${username}.`)
      if (!generate) return {username, admin}
      this.log(password)
      return {username, admin, password}
    })
  }
}
