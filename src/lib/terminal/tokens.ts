import {isExpired, type ApiToken} from '../access/api-tokens/api-token.js'

/** `may read and upload acme-*, until 2027-11-21T19:44:28Z` */
export function describeToken(token: ApiToken): string {
  const until = token.expires === null ? 'for ever' : `until ${token.expires}`
  return `may ${token.scopes.join(' and ')} ${describeProjects(token.projects)}, ${until}`
}

export const describeProjects = (projects: readonly string[]): string =>
  projects.length === 0 ? 'all projects' : projects.join(' ')

/** @param now milliseconds since 1970 */
export function describeExpiry(token: Pick<ApiToken, 'expires'>, now: number): string {
  if (token.expires === null) return 'never expires'
  return `${isExpired(token, now) ? 'EXPIRED' : 'expires'} ${token.expires}`
}

/** As JSON shows it. */
export type ShownToken = Omit<ApiToken, 'sha256'>
export const shownToken = ({id, owner, name, scopes, projects, created, expires}: ApiToken): ShownToken => ({
  ...{id, owner, name, scopes, projects, created, expires},
})
