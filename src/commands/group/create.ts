import {Args} from '@oclif/core'
import {getWriter} from '../../lib/tasks/access-writer.js'
import {AccessCommand, nameArgument} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'

export default class GroupCreate extends AccessCommand {
  static override audit = 'group.create'
  static override summary = 'Create a group without members.'
  static override examples = ['<%= config.bin %> server.ini devs']
  static override args = {config: Args.string(configArgument), group: nameArgument('name of the new group')}
  static override flags = {...waitFlag}

  async run(): Promise<{group: string}> {
    const {args, flags} = await this.parse(GroupCreate)
    const {group} = args
    return this.withAccess(args.config, flags.wait, async (access, config) => {
      await getWriter(access, config, `put "group.${group} = MEMBERS" into it`).createGroup(group)
      this.tell(`Created the group ${group}.`)
      return {group}
    })
  }
}
