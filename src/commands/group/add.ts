import {Args} from '@oclif/core'
import {checkGroup, getAccount, getWriter} from '../../lib/tasks/access-writer.js'
import {AccessCommand, nameArgument} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'

export default class GroupAdd extends AccessCommand {
  static override audit = 'group.add'
  static override summary = 'Make a user a member of a group.'
  static override examples = ['<%= config.bin %> server.ini devs bob']
  static override args = {
    config: Args.string(configArgument),
    group: nameArgument('name of the group'),
    name: nameArgument('name of the user'),
  }
  static override flags = {...waitFlag}

  async run(): Promise<{group: string; username: string}> {
    const {args, flags} = await this.parse(GroupAdd)
    const {group, name: username} = args
    return this.withAccess(args.config, flags.wait, async (access, config) => {
      const members = new Set([...(await access.listMembers(group)), username])
      const writer = getWriter(access, config, `put "group.${group} = ${[...members].join(' ')}" into it`)
      await checkGroup(access, group)
      await getAccount(access, username)
      await writer.addMember(group, username)
      this.tell(`${username} is in ${group} now.`)
      return {group, username}
    })
  }
}
