import {Args} from '@oclif/core'
import {Conflict} from '../../lib/errors.js'
import {getAccount, getWriter} from '../../lib/tasks/access-writer.js'
import {AccessCommand, nameArgument} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'

export default class UserReject extends AccessCommand {
  static override audit = 'user.delete'
  static override summary = 'Turn somebody away who has registered.'
  static override examples = ['<%= config.bin %> server.ini pat']
  static override args = {
    config: Args.string(configArgument),
    name: nameArgument('name of the user who waits for approval'),
  }
  static override flags = {...waitFlag}

  async run(): Promise<{username: string}> {
    const {args, flags} = await this.parse(UserReject)
    const {name: username} = args
    return this.withAccess(args.config, flags.wait, async (access, config) => {
      const writer = getWriter(access, config, 'nobody waits for approval there')
      const {pending} = await getAccount(access, username)
      if (!pending) {
        throw new Conflict(`${access.name}: ${username} was approved before`, {
          hint: `ppc user delete deletes a user.`,
        })
      }
      await writer.deleteUser(username)
      this.tell(`Turned ${username} away.`)
      return {username}
    })
  }
}
