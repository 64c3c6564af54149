import {Args} from '@oclif/core'
import {getAccount, getWriter} from '../../lib/tasks/access-writer.js'
import {AccessCommand, nameArgument} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'

export default class UserAdmin extends AccessCommand {
  static override audit = 'user.admin'
  static override summary = 'Make a user an administrator, or an administrator a user like others.'
  static override examples = ['<%= config.bin %> server.ini ada on', '<%= config.bin %> server.ini bob off']
  static override args = {
    config: Args.string(configArgument),
    name: nameArgument('name of the user'),
    state: Args.string({required: true, ignoreStdin: true, options: ['on', 'off'], description: 'on or off'}),
  }
  static override flags = {...waitFlag}

  async run(): Promise<{username: string; admin: boolean}> {
    const {args, flags} = await this.parse(UserAdmin)
    const {name: username} = args
    const admin = args.state === 'on'
    return this.withAccess(args.config, flags.wait, async (access, config) => {
      await getAccount(access, username)
      const names = (await access.listUsers())
        .filter(user => (user.username === username ? admin : user.admin))
        .map(user => user.username)
      const writer = getWriter(access, config, `put "${['auth.admins =', ...names].join(' ')}" into it`)
      await writer.setAdmin(username, admin)
      this.tell(`${username} is ${admin ? 'an' : 'no'} administrator now.`)
      if (names.length === 0) {
        this.tell('Nobody is an administrator now: ppc user admin CONFIG NAME on makes one.')
      }
      return {username, admin}
    })
  }
}
