import {Args, Flags} from '@oclif/core'
import {isExpired} from '../../lib/access/api-tokens/api-token.js'
import {getTokens} from '../../lib/tasks/api-tokens.js'
import {AccessCommand} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'
import {describeExpiry, describeProjects, shownToken, type ShownToken} from '../../lib/terminal/tokens.js'

interface ListedToken extends ShownToken {
  /** To some minutes; null where none is recorded. */
  readonly lastUsed: string | null
  readonly expired: boolean
}

export default class TokenList extends AccessCommand {
  static override summary = 'List the API tokens: whose they are, what they are for, and when they were used.'
  static override description =
    'The tokens themselves are kept nowhere; each is named by its id, which its text begins with.'
  static override examples = ['<%= config.bin %> server.ini', '<%= config.bin %> server.ini --user ci --json']
  static override args = {config: Args.string(configArgument)}
  static override flags = {
    user: Flags.string({summary: 'Only those of this user.', helpValue: 'NAME'}),
    ...waitFlag,
  }

  async run(): Promise<{tokens: ListedToken[]}> {
    const {args, flags} = await this.parse(TokenList)
    const found = await this.withAccess(args.config, flags.wait, access => getTokens(access).list(flags.user))
    const now = Date.now()
    const tokens = found.map(token => ({
      ...shownToken(token),
      lastUsed: token.lastUsed,
      expired: isExpired(token, now),
    }))
    this.logTable(
      tokens.map(token => [
        token.id,
        token.owner,
        token.scopes.join(' '),
        describeProjects(token.projects),
        describeExpiry(token, now),
        token.lastUsed === null ? 'no use recorded' : `used ${token.lastUsed}`,
        token.name,
      ]),
    )
    return {tokens}
  }
}
