import {Args} from '@oclif/core'
import {getAccount, getWriter} from '../../lib/tasks/access-writer.js'
import {AccessCommand, nameArgument} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'

export default class UserApprove extends AccessCommand {
  static override audit = 'user.approve'
  static override summary = 'Let somebody in who has registered.'
  static override examples = ['<%= config.bin %> server.ini pat']
  static override args = {
    config: Args.string(configArgument),
    name: nameArgument('name of the user who waits for approval'),
  }
  static override flags = {...waitFlag}

  async run(): Promise<{username: string}> {
    const {args, flags} = await this.parse(UserApprove)
    const {name: username} = args
    return this.withAccess(args.config, flags.wait, async (access, config) => {
      const writer = getWriter(
        access,
        config,
        `nobody waits there; "user.${username} = HASH" lets somebody in`,
      )
      const {pending} = await getAccount(access, username)
      if (pending) await writer.approve(username)
      this.tell(pending ? `${username} can log in now.` : `${username} was approved before.`)
      return {username}
    })
  }
}
