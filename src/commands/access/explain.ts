import {Args} from '@oclif/core'
import {describeGrant, explainAccess, type AccessExplanation} from '../../lib/tasks/explain-access.js'
import {explainToken} from '../../lib/tasks/explain-token.js'
import {AccessCommand, nameArgument} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'

export default class AccessExplain extends AccessCommand {
  static override summary = 'Explain why a user may do what with a project, or why not.'
  static override description =
    'Decides as the server does, by the access backend of the config, and shows what each decision rests on. ' +
    'The project need not exist. The user "everyone" stands for whoever is not logged in, "token:ID" for whoever comes with that API token.'
  static override examples = [
    '<%= config.bin %> server.ini bob acme-lib',
    '<%= config.bin %> server.ini everyone acme-lib --json',
    '<%= config.bin %> server.ini token:k3x9d0aa1m acme-lib',
  ]
  static override args = {
    config: Args.string(configArgument),
    user: nameArgument('name of the user'),
    project: nameArgument('name of the project, in any spelling'),
  }
  static override flags = {...waitFlag}

  async run(): Promise<AccessExplanation> {
    const {args, flags} = await this.parse(AccessExplain)
    const [, tokenId] = /^token:(.*)$/s.exec(args.user) ?? [] // no user has a colon in its name
    const explanation = await this.withAccess(args.config, flags.wait, (access, config) =>
      tokenId === undefined
        ? explainAccess(access, config, args.user, args.project)
        : explainToken(access, config, tokenId, args.project),
    )
    if (!this.jsonEnabled()) {
      for (const fact of explanation.facts) this.log(fact)
      this.logTable(
        explanation.rules.map(grant => [
          `  ${describeGrant(grant)}`,
          grant.permissions.join(' ') || 'nothing',
        ]),
      )
      this.logTable(
        explanation.verdicts.map(({right, allowed, because}) => [
          right,
          allowed ? 'yes' : 'no',
          because.join('; '),
        ]),
      )
    }
    return explanation
  }
}
