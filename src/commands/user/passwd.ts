import {Args} from '@oclif/core'
import {getAccount, getWriter} from '../../lib/tasks/access-writer.js'
import {hashFor} from '../../lib/tasks/create-user.js'
import {AccessCommand, nameArgument, passwordFlags} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'

interface Changed {
  readonly username: string
  /** Only of --generate. */
  readonly password?: string
}

export default class UserPasswd extends AccessCommand {
  static override audit = 'user.password'
  static override summary = 'Give a user a new password.'
  static override description =
    'Asks for it twice, unless told where to get it. The old one fails from then on.'
  static override examples = [
    '<%= config.bin %> server.ini bob',
    'printf %s "$PASSWORD" | <%= config.bin %> --password-stdin server.ini bob',
    '<%= config.bin %> --generate server.ini ci',
  ]
  static override args = {config: Args.string(configArgument), name: nameArgument('name of the user')}
  static override flags = {...passwordFlags, ...waitFlag}

  async run(): Promise<Changed> {
    const {args, flags} = await this.parse(UserPasswd)
    const {name: username} = args
    return this.withAccess(args.config, flags.wait, async (access, config) => {
      const line = `"user.${username} = HASH", with a hash from ppc-gen-password`
      const writer = getWriter(access, config, `put ${line} into it`)
      await getAccount(access, username) // before anybody types a password
      const password = await this.getPassword(flags)
      const written = await writer.setPasswordHash(username, await hashFor(config, password))
      if (!written) await getAccount(access, username) // it went while the password was typed
      this.tell(`Changed the password of ${username}.`)
      if (!flags.generate) return {username}
      this.log(password)
      return {username, password}
    })
  }
}
