import {AlreadyExists, type Access} from '../access/access.js'
import {formatTime, type ApiToken, type TokenScope} from '../access/api-tokens/api-token.js'
import {formatConfigToken} from '../access/api-tokens/config-tokens.js'
import {defaultExpiry, parseExpiry} from '../access/api-tokens/token-expiry.js'
import {parseProjects, parseScopes, problemOfTokenName} from '../access/api-tokens/token-fields.js'
import {makeTokenText} from '../access/api-tokens/token-text.js'
import {quote} from '../access/names.js'
import {InvalidInput, NotFound} from '../errors.js'
import {NotWritable} from './access-writer.js'

/** What a token is asked for with, as it was typed. */
export interface TokenRequest {
  readonly owner: string
  /** What to call it in lists. Default: nothing. */
  readonly name?: string | undefined
  /** Default: read. */
  readonly scopes?: readonly string[] | undefined
  /** Names and patterns. Default: every project. */
  readonly projects?: readonly string[] | undefined
  /** As `parseExpiry` takes it. Default: a year. */
  readonly expires?: string | undefined
}

export interface CreatedToken {
  /** What the client sends. It is nowhere else. */
  readonly text: string
  readonly token: ApiToken
  /** To be pasted by the operator, where tokens are lines of the configuration file. */
  readonly configLine?: string
}

/**
 * Makes a token that acts for a user.
 * @throws {NotFound} without such a user, @throws {InvalidInput} for what no token can be
 */
export async function createToken(access: Access, request: TokenRequest): Promise<CreatedToken> {
  const tokens = getTokens(access)
  const now = Date.now()
  const account = await access.findAccount(request.owner)
  if (!account) throw new NotFound(`${access.name} has no user ${quote(request.owner)}`)
  if (account.pending || account.problem !== undefined) {
    throw new InvalidInput(
      `nobody can log in as ${quote(request.owner)}: ${account.problem ?? 'it waits for approval'}`,
    )
  }
  const scopes = parseScopes(request.scopes ?? ['read'])
  const projects = parseProjects(request.projects ?? [])
  checkAdminScope(scopes, projects, account)
  const name = request.name ?? ''
  const problem = problemOfTokenName(name)
  if (problem !== undefined) throw new InvalidInput(`the name of the API token, ${quote(name)}, ${problem}`)
  const expires = parseExpiry(request.expires ?? defaultExpiry, now)
  const rest = {owner: account.username, name, scopes, projects, created: formatTime(new Date(now)), expires}
  for (;;) {
    const {text, ...key} = makeTokenText()
    const token = {...key, ...rest}
    if (!tokens.writer) return {text, token, configLine: configLineOf(token)}
    try {
      await tokens.writer.add(token)
      return {text, token}
    } catch (error) {
      if (!(error instanceof AlreadyExists)) throw error // of 36^10 ids, one that is taken
    }
  }
}

function checkAdminScope(
  scopes: readonly TokenScope[],
  projects: readonly string[],
  {username, admin}: {readonly username: string; readonly admin: boolean},
): void {
  if (!scopes.includes('admin')) return
  if (!admin)
    throw new InvalidInput(`${quote(username)} is no administrator: its tokens can't have the scope admin`)
  if (projects.length > 0) {
    throw new InvalidInput(`an API token with the scope admin can't be limited to projects`)
  }
}

const configLineOf = (token: ApiToken): string => {
  const {key, value} = formatConfigToken(token)
  return `${key} = ${value.replaceAll('%', '%%')}`
}

/** @throws {NotFound} @throws {NotWritable} saying which line to remove */
export async function revokeToken(access: Access, id: string): Promise<void> {
  const tokens = getTokens(access)
  const unknown = () => new NotFound(`${access.name} has no API token ${quote(id)}`)
  if (!tokens.writer) {
    if (!(await tokens.find(id))) throw unknown()
    throw new NotWritable(`the API token ${id} is a line of the configuration file`, {
      hint: `Remove token.${id} there, and send SIGHUP to the server.`,
    })
  }
  if (!(await tokens.writer.revoke(id))) throw unknown()
}

/** @throws {NotWritable} for a backend of the operator's own without tokens */
export function getTokens(access: Access): NonNullable<Access['tokens']> {
  if (!access.tokens) throw new NotWritable(`${access.name} keeps no API tokens`)
  return access.tokens
}
