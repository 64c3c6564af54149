import type {Access} from '../access/access.js'
import {isExpired, type StoredToken, type TokenScope} from '../access/api-tokens/api-token.js'
import {TokenLimits} from '../access/api-tokens/token-limits.js'
import {quote} from '../access/names.js'
import {anonymous} from '../access/identity.js'
import type {Config} from '../config/config.js'
import {NotFound} from '../errors.js'
import {getTokens} from './api-tokens.js'
import {explainAccess, type AccessExplanation, type Right, type Verdict} from './explain-access.js'

const scopeOf: Readonly<Record<Right, TokenScope>> = {
  read: 'read',
  write: 'upload',
  overwrite: 'upload',
  delete: 'delete',
}

/**
 * Why whoever comes with an API token may do what with a project: what its owner may, as far as the token reaches.
 * @throws {NotFound} when there is no such token
 */
export async function explainToken(
  access: Access,
  config: Config,
  id: string,
  project: string,
): Promise<AccessExplanation> {
  const token = await getTokens(access).find(id)
  if (!token) throw new NotFound(`${access.name} has no API token ${quote(id)}`)
  const owners = await explainAccess(access, config, token.owner, project)
  const everybodys = await explainAccess(access, config, 'everyone', project)
  const limits = new TokenLimits(token, anonymous)
  const narrowed = owners.verdicts.map((verdict, index): Verdict => {
    const scope = scopeOf[verdict.right]
    if (isExpired(token, Date.now())) return {...verdict, allowed: false, because: ['the token has expired']}
    if (limits.allows(scope, owners.project)) return verdict
    const open = everybodys.verdicts[index]
    if (open?.allowed) return open
    const isScope = !token.scopes.includes(scope)
    return {
      ...verdict,
      allowed: false,
      because: [isScope ? `the token lacks the scope ${scope}` : `the token is not for ${owners.project}`],
    }
  })
  return {...owners, facts: [factAboutToken(token), ...owners.facts], verdicts: narrowed}
}

function factAboutToken({id, owner, scopes, projects, expires}: StoredToken): string {
  const reach = projects.length === 0 ? 'all projects' : projects.join(', ')
  const until = expires === null ? 'for ever' : `until ${expires}`
  return `the API token ${id} acts for ${owner} on ${reach}, to ${scopes.join(', ')}, ${until}`
}
