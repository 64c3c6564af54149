import {Args} from '@oclif/core'
import type {Permission} from '../../lib/access/access.js'
import {describePrincipal, listPermissions} from '../../lib/tasks/edit-permissions.js'
import {AccessCommand} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'
import {findPrincipal, principalFlags} from '../../lib/terminal/principals.js'

interface ListedPermission {
  /** As it is stored, which may be another spelling. */
  readonly project: string
  readonly user?: string
  readonly group?: string
  readonly permissions: readonly Permission[]
}

export default class PermissionList extends AccessCommand {
  static override summary = 'List the rights of users and groups on projects.'
  static override description =
    'What was given, not what follows from pypi.default_read, groups and administrators. A project with a rule that ' +
    'gives nothing is for administrators only.'
  static override examples = [
    '<%= config.bin %> server.ini',
    '<%= config.bin %> server.ini acme-lib',
    '<%= config.bin %> server.ini --user bob --json',
  ]
  static override args = {
    config: Args.string(configArgument),
    project: Args.string({ignoreStdin: true, description: 'only of this project'}),
  }
  static override flags = {...principalFlags(false), ...waitFlag}

  async run(): Promise<{permissions: ListedPermission[]}> {
    const {args, flags} = await this.parse(PermissionList)
    const wanted = {project: args.project, principal: findPrincipal(flags)}
    const grants = await this.withAccess(args.config, flags.wait, access => listPermissions(access, wanted))
    this.logTable(
      grants.map(({project, principal, permissions}) => [
        project,
        describePrincipal(principal),
        permissions.join(' ') || 'nothing',
      ]),
    )
    return {permissions: grants.map(({principal, ...grant}) => ({...grant, ...principal}))}
  }
}
