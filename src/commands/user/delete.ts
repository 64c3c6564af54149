import {Args} from '@oclif/core'
import {getAccount, getWriter} from '../../lib/tasks/access-writer.js'
import {AccessCommand, nameArgument, yesFlag} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'

export default class UserDelete extends AccessCommand {
  static override audit = 'user.delete'
  static override summary = 'Delete a user, with its memberships and rights.'
  static override description =
    'Asks before it does. Sessions, API tokens and remembered passwords of the user end with it.'
  static override examples = ['<%= config.bin %> server.ini bob', '<%= config.bin %> --yes server.ini bob']
  static override args = {config: Args.string(configArgument), name: nameArgument('name of the user')}
  static override flags = {...yesFlag, ...waitFlag}

  async run(): Promise<{username: string}> {
    const {args, flags} = await this.parse(UserDelete)
    const {name: username} = args
    return this.withAccess(args.config, flags.wait, async (access, config) => {
      const lines = `user.${username} and package.PROJECT.user.${username}`
      const instead = `remove ${lines}, and ${username} from auth.admins and the groups`
      const writer = getWriter(access, config, instead)
      const {admin} = await getAccount(access, username)
      await this.confirm(`Delete the user ${username}?`, flags.yes)
      await writer.deleteUser(username)
      this.tell(`Deleted the user ${username}.`)
      if (admin && !(await access.listUsers()).some(user => user.admin)) {
        this.tell('Nobody is an administrator now: ppc user admin CONFIG NAME on makes one.')
      }
      return {username}
    })
  }
}
