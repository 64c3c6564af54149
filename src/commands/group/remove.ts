import {Args} from '@oclif/core'
import {checkGroup, getWriter} from '../../lib/tasks/access-writer.js'
import {AccessCommand, nameArgument} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'

export default class GroupRemove extends AccessCommand {
  static override audit = 'group.remove'
  static override summary = 'Take a user out of a group.'
  static override examples = ['<%= config.bin %> server.ini devs bob']
  static override args = {
    config: Args.string(configArgument),
    group: nameArgument('name of the group'),
    name: nameArgument('name of the user'),
  }
  static override flags = {...waitFlag}

  async run(): Promise<{group: string; username: string}> {
    const {args, flags} = await this.parse(GroupRemove)
    const {group, name: username} = args
    return this.withAccess(args.config, flags.wait, async (access, config) => {
      const others = (await access.listMembers(group)).filter(member => member !== username)
      const line = [`group.${group} =`, ...others].join(' ')
      const writer = getWriter(access, config, `put "${line}" into it`)
      await checkGroup(access, group)
      await writer.removeMember(group, username)
      this.tell(`${username} is not in ${group}.`)
      return {group, username}
    })
  }
}
