import {Args} from '@oclif/core'
import {checkGroup, getWriter} from '../../lib/tasks/access-writer.js'
import {AccessCommand, nameArgument, yesFlag} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'

export default class GroupDelete extends AccessCommand {
  static override audit = 'group.delete'
  static override summary = 'Delete a group, with its rights. Its members stay users.'
  static override examples = ['<%= config.bin %> server.ini devs', '<%= config.bin %> --yes server.ini devs']
  static override args = {config: Args.string(configArgument), group: nameArgument('name of the group')}
  static override flags = {...yesFlag, ...waitFlag}

  async run(): Promise<{group: string}> {
    const {args, flags} = await this.parse(GroupDelete)
    const {group} = args
    return this.withAccess(args.config, flags.wait, async (access, config) => {
      const instead = `remove group.${group} and package.PROJECT.group.${group}`
      const writer = getWriter(access, config, instead)
      await checkGroup(access, group)
      await this.confirm(`Delete the group ${group}?`, flags.yes)
      await writer.deleteGroup(group)
      this.tell(`Deleted the group ${group}.`)
      return {group}
    })
  }
}
