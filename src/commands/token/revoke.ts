import {Args, Flags} from '@oclif/core'
import {findTokenId} from '../../lib/access/api-tokens/token-text.js'
import {UsageError} from '../../lib/errors.js'
import {getTokens, revokeToken} from '../../lib/tasks/api-tokens.js'
import {AccessCommand} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'

export default class TokenRevoke extends AccessCommand {
  static override audit = 'token.revoke'
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
    const id = token === undefined ? undefined : idOf(token)
    return this.withAccess(config, flags.wait, async access => {
      const tokens = id === undefined ? await getTokens(access).list(flags.user) : [{id}]
      const revoked = tokens.map(each => each.id)
      for (const each of revoked) {
        await revokeToken(access, each)
        this.tell(`Revoked the API token ${each}.`)
      }
      if (revoked.length === 0) this.tell(`${flags.user ?? ''} has no API tokens.`)
      return {revoked}
    })
  }
}

/** What may be most of a secret is not repeated in an error. */
function idOf(text: string): string {
  const id = findTokenId(text)
  if (id === undefined && text.includes('_'))
    throw new UsageError('this is no whole API token: name it by its id')
  return id ?? text
}
