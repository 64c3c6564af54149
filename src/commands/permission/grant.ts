import {Args} from '@oclif/core'
import type {Permission} from '../../lib/access/access.js'
import {describePrincipal, grantPermissions} from '../../lib/tasks/edit-permissions.js'
import {AccessCommand, nameArgument} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'
import {
  permissionArgument,
  parsePermissions,
  principalFlags,
  principalOf,
} from '../../lib/terminal/principals.js'

export default class PermissionGrant extends AccessCommand {
  static override audit = 'permission.grant'
  static override summary = 'Give a user or a group rights on a project.'
  static override description =
    'To write does not include to read. The first right on a project takes it from pypi.default_read and ' +
    'pypi.default_write: from then on only those who were given a right have it, and the administrators.'
  static override examples = [
    '<%= config.bin %> server.ini acme-lib rw --group devs',
    '<%= config.bin %> server.ini acme-lib read --user bob',
    '<%= config.bin %> server.ini acme-lib read --group everyone',
  ]
  static override args = {
    config: Args.string(configArgument),
    project: nameArgument('name of the project'),
    permission: permissionArgument,
  }
  static override flags = {...principalFlags(true), ...waitFlag}

  async run(): Promise<{project: string; permissions: readonly Permission[]}> {
    const {args, flags} = await this.parse(PermissionGrant)
    const {project} = args
    const principal = principalOf(flags)
    const change = {project, principal, permissions: parsePermissions(args.permission)}
    return this.withAccess(args.config, flags.wait, async (access, config) => {
      const {permissions, first} = await grantPermissions(access, config, change)
      this.tell(`The ${describePrincipal(principal)} may ${permissions.join(' and ')} ${project}.`)
      if (first) {
        this.tell(`That is the first rule of ${project}: nobody has it by pypi.default_read any more.`)
      }
      return {project, ...principal, permissions}
    })
  }
}
