import {Args} from '@oclif/core'
import {AccessCommand} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'

interface ListedGroup {
  readonly group: string
  readonly members: readonly string[]
}

export default class GroupList extends AccessCommand {
  static override summary = 'List the groups and their members.'
  static override description =
    'Everyone and authenticated, which everybody is in or everybody who is logged in, are not among them.'
  static override examples = ['<%= config.bin %> server.ini', '<%= config.bin %> server.ini --json']
  static override args = {config: Args.string(configArgument)}
  static override flags = {...waitFlag}

  async run(): Promise<{groups: ListedGroup[]}> {
    const {args, flags} = await this.parse(GroupList)
    const groups = await this.withAccess(args.config, flags.wait, async access => {
      const listed: ListedGroup[] = []
      for (const group of await access.listGroups()) {
        listed.push({group, members: await access.listMembers(group)})
      }
      return listed
    })
    this.logTable(groups.map(({group, members}) => [group, members.join(' ')]))
    return {groups}
  }
}
