import {Args} from '@oclif/core'
import {AccessCommand} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'

interface ListedUser {
  readonly username: string
  readonly admin: boolean
  /** Registered, and can't log in before it is approved. */
  readonly pending: boolean
}

export default class UserList extends AccessCommand {
  static override summary = 'List the users, and who waits for approval.'
  static override examples = ['<%= config.bin %> server.ini', '<%= config.bin %> server.ini --json']
  static override args = {config: Args.string(configArgument)}
  static override flags = {...waitFlag}

  async run(): Promise<{users: ListedUser[]}> {
    const {args, flags} = await this.parse(UserList)
    const users = await this.withAccess(args.config, flags.wait, async (access): Promise<ListedUser[]> => {
      const approved = await access.listUsers()
      const pending = (await access.writer?.listPending()) ?? []
      return [
        ...approved.map(user => ({...user, pending: false})),
        ...pending.map(username => ({username, admin: false, pending: true})),
      ]
    })
    this.logTable(users.map(user => [user.username, stateOf(user)]))
    return {users}
  }
}

function stateOf({admin, pending}: ListedUser): string {
  if (pending) return 'waits for approval'
  return admin ? 'administrator' : ''
}
