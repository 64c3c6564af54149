import {Args, Flags} from '@oclif/core'
import {tokenScopes} from '../../lib/access/api-tokens/api-token.js'
import {defaultExpiry} from '../../lib/access/api-tokens/token-expiry.js'
import {createToken} from '../../lib/tasks/api-tokens.js'
import {AccessCommand, nameArgument} from '../../lib/terminal/access-command.js'
import {configArgument, waitFlag} from '../../lib/terminal/command.js'
import {describeToken, shownToken, type ShownToken} from '../../lib/terminal/tokens.js'

interface Created extends ShownToken {
  readonly token: string
  /** Where tokens are lines of the configuration file. */
  readonly configLine?: string
}

export default class TokenCreate extends AccessCommand {
  static override audit = 'token.create'
  static override summary = 'Create an API token, with which a program acts for a user.'
  static override description =
    'Prints the token, which is kept nowhere. Clients send it as the password of the user __token__. It never gives more than ' +
    'its user may. Where users are not stored by us (pypi.auth = config, ldap or remote), the line that makes the server ' +
    'know it is printed too, for the config file.'
  static override examples = [
    '<%= config.bin %> server.ini ci --scope read,upload --project "acme-*" --expires 90d',
    'TWINE_USERNAME=__token__ TWINE_PASSWORD=$(<%= config.bin %> server.ini ci --scope upload) twine upload dist/*',
  ]
  static override args = {config: Args.string(configArgument), user: nameArgument('name of the user')}
  static override flags = {
    scope: Flags.string({
      multiple: true,
      delimiter: ',',
      options: [...tokenScopes],
      default: ['read'],
      summary: 'What it may be used for; admin includes the others.',
    }),
    project: Flags.string({
      multiple: true,
      delimiter: ',',
      helpValue: 'NAME',
      summary: 'Only for this project, or for those that match, as in acme-*. Default: every project.',
    }),
    expires: Flags.string({
      default: defaultExpiry,
      helpValue: 'WHEN',
      summary: 'When it ends: a time from now (90d, 12h, 2w), a date (2027-01-31), or never.',
    }),
    name: Flags.string({summary: 'What to call it in lists.', helpValue: 'TEXT'}),
    ...waitFlag,
  }

  async run(): Promise<Created> {
    const {args, flags} = await this.parse(TokenCreate)
    const {scope: scopes, project: projects, expires, name} = flags
    const request = {owner: args.user, scopes, projects, expires, name}
    return this.withAccess(args.config, flags.wait, async access => {
      const {text, token, configLine} = await createToken(access, request)
      this.tell(`Created the API token ${token.id} of ${token.owner}: ${describeToken(token)}.`)
      this.log(text)
      if (configLine !== undefined) {
        this.tell('Put this line into the config, and send SIGHUP to the server:')
        this.tell(configLine)
      }
      return {token: text, ...shownToken(token), ...(configLine !== undefined && {configLine})}
    })
  }
}
