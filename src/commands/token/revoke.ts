import {Args, Flags} from '@oclif/core'
import {findTokenId} from '../../lib/access/api-tokens/token-text.js'
import {UsageError} from '../../lib/errors.js'
import {getTokens, revokeToken} from '../../lib/tasks/api-tokens.js'
import {AccessCommand} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'

export default class TokenRevoke extends AccessCommand {
  static override summary = 'Revoke an API token, or all of a user.'
  static override description = 'Servers refuse it from the next seconds on.'
  static override examples = [
    '<%= config.bin %> server.ini k3x9d0aa1m',
    '<%= config.bin %> server.ini --user bob',
  ]
  static override args = {
    config: Args.string(configArgument),
    token: Args.string({
      ignoreStdin: true,
      description: 'id of the token, as ppc token list shows it, or the token',
    }),
  }
  static override flags = {
    user: Flags.string({summary: 'Revoke all tokens of this user.', helpValue: 'NAME'}),
    ...waitFlag,
  }

  async run(): Promise<{revoked: string[]}> {
    const {args, flags} = await this.parse(TokenRevoke)
    const {token, config} = args
    if ((token === undefined) === (flags.user === undefined)) {
      throw new UsageError('name one token, or a user with --user')
    }
    return this.withAccess(config, flags.wait, async access => {
      const tokens = token === undefined ? await getTokens(access).list(flags.user) : []
      const revoked = token === undefined ? tokens.map(({id}) => id) : [findTokenId(token) ?? token]
      for (const id of revoked) {
        await revokeToken(access, id)
        this.tell(`Revoked the API token ${id}.`)
      }
      if (revoked.length === 0) this.tell(`${flags.user ?? ''} has no API tokens.`)
      return {revoked}
    })
  }
}
