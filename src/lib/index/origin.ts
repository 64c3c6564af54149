import {completeMark, type Cache} from '../cache/cache.js'
import type {Config} from '../config/config.js'
import {fallbackMode, upstreamOf, type Fallback, type Upstream} from '../config/derived.js'
import {isProjectName, nameMatcher, normalizeName} from '../packaging/names.js'
import type {Notes} from './notes.js'
import {encodePathSegment} from './pages/markup.js'

/** Which page of a project is asked for: below /simple/, /pypi/ and the root, or its JSON description. */
export type PageKind = 'simple' | 'json'

export interface PageRequest {
  /** As in the URL, decoded, not normalised. */
  readonly name: string
  readonly kind: PageKind
  /** Whether the reader may read the project of that name. */
  readonly mayRead: boolean
  readonly loggedIn: boolean
  /** Whether this index has files of it. */
  readonly exists: boolean
}

/** Who answers a request for a project's page. `unavailable`: whether the name is ours can't be told yet (503). */
export type Origin =
  | {readonly kind: 'local' | 'unauthorized' | 'notFound' | 'unavailable'}
  | {readonly kind: 'redirect'; readonly location: string}

/**
 * Decides who answers for a name, so that private names stay private: what is stored here, was ever published here or
 * is reserved (`pypi.private`, `pypi.disallow_fallback`) is answered by this index alone, whoever asks.
 * ```
 * exists  may read   none                 redirect
 * yes     yes        local                local
 * yes     no         401, logged in 404   401, logged in 404
 * no      yes        404                  302; sealed or reserved 404
 * no      no         401, logged in 404   302; sealed or reserved 401, logged in 404
 * ```
 * While the cache is not complete, a name that is not sealed may be ours without a row: 503 in place of 302, and of the
 * 404 that would send a client with a second index of its own there, reserved names first of all (RULES 1).
 */
export class OriginPolicy {
  readonly #cache: Pick<Cache, 'getState' | 'changeToken'>
  readonly #notes: Pick<Notes, 'sealed'>
  readonly #fallback: Fallback
  readonly #upstream: Upstream
  readonly #isReserved: (normalizedName: string) => boolean

  constructor(parts: {
    config: Pick<Config, 'core'>
    cache: Pick<Cache, 'getState' | 'changeToken'>
    notes: Pick<Notes, 'sealed'>
  }) {
    const {core} = parts.config
    this.#cache = parts.cache
    this.#notes = parts.notes
    this.#fallback = fallbackMode(core)
    this.#upstream = upstreamOf(core)
    this.#isReserved = nameMatcher([...core.privateNames, ...core.disallowFallback])
  }

  /** No promise where nothing has to be looked up. @throws {PpcError} when cache or notes can't be read. */
  decide(request: PageRequest): Origin | Promise<Origin> {
    if (request.exists && request.mayRead) return {kind: 'local'}
    const here = withoutUpstream(request)
    // `cache` is not in this version: it answers as `none` does, see originNotices.
    const redirects = this.#fallback.mode === 'redirect'
    if (request.exists || (!redirects && !request.mayRead) || !isProjectName(request.name)) return here
    const project = normalizeName(request.name)
    const reserved = this.#isReserved(project)
    return reserved && !request.mayRead ? here : this.#elsewhere(request, project, {here, reserved})
  }

  /** Whether what the cache has no row of is not here. Ask after looking: a cache that is emptied loses its mark too. */
  async knowsAll(): Promise<boolean> {
    return (await this.#cache.getState(completeMark)) !== undefined
  }

  async #elsewhere(
    {name, kind}: PageRequest,
    project: string,
    {here, reserved}: {here: Origin; reserved: boolean},
  ): Promise<Origin> {
    if ((await this.#notes.sealed(await this.#cache.changeToken(project))).has(project)) return here
    if (!(await this.knowsAll())) return {kind: 'unavailable'}
    if (reserved || this.#fallback.mode !== 'redirect') return here
    const {baseUrl, simpleUrl} = this.#upstream
    const segment = encodePathSegment(name)
    const isJson = kind === 'json' && baseUrl !== undefined
    return {
      kind: 'redirect',
      location: isJson ? `${baseUrl}/pypi/${segment}/json` : `${simpleUrl}/${segment}/`,
    }
  }
}

const withoutUpstream = ({mayRead, loggedIn}: PageRequest): Origin => ({
  kind: mayRead || loggedIn ? 'notFound' : 'unauthorized',
})

/** What an operator should know at start-up about where names come from: one sentence each. */
export function originNotices(config: Pick<Config, 'core'>): string[] {
  const {mode, alwaysShowUpstream} = fallbackMode(config.core)
  const notices: string[] = []
  if (mode === 'cache') {
    notices.push(
      `pypi.fallback = ${config.core.fallback} is not in this version yet: names that are not here are answered as with none.`,
    )
  }
  if (mode === 'redirect' && alwaysShowUpstream) {
    notices.push(
      'pypi.always_show_upstream is not in this version yet: pages of projects that are here list only what is here.',
    )
  }
  return notices
}
