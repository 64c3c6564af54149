import {Args} from '@oclif/core'
import type {Permission} from '../../lib/access/access.js'
import {describePrincipal, revokePermissions} from '../../lib/tasks/edit-permissions.js'
import {AccessCommand, nameArgument} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'
import {
  permissionArgument,
  parsePermissions,
  principalFlags,
  principalOf,
} from '../../lib/terminal/principals.js'

export default class PermissionRevoke extends AccessCommand {
  static override audit = 'permission.revoke'
  static override summary = 'Take rights on a project from a user or a group.'
  static override description =
    'With the last right of all on a project it belongs to pypi.default_read and pypi.default_write again.'
  static override examples = [
    '<%= config.bin %> server.ini acme-lib rw --group devs',
    '<%= config.bin %> server.ini acme-lib write --user bob',
  ]
  static override args = {
    config: Args.string(configArgument),
    project: nameArgument('name of the project'),
    permission: permissionArgument,
  }
  static override flags = {...principalFlags(true), ...waitFlag}

  async run(): Promise<{project: string; permissions: readonly Permission[]}> {
    const {args, flags} = await this.parse(PermissionRevoke)
    const {project} = args
    const principal = principalOf(flags)
    const change = {project, principal, permissions: parsePermissions(args.permission)}
    return this.withAccess(args.config, flags.wait, async (access, config) => {
      const {permissions, had} = await revokePermissions(access, config, change)
      const who = `The ${describePrincipal(principal)}`
      if (!had) this.tell(`${who} had no such right on ${project}.`)
      else if (permissions.length > 0)
        this.tell(`${who} may only ${permissions.join(' and ')} ${project} now.`)
      else this.tell(`${who} has no right on ${project} of its own any more.`)
      return {project, ...principal, permissions}
    })
  }
}
