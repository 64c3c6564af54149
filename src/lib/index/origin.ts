import type {Cache} from '../cache/cache.js'
import type {Config} from '../config/config.js'
import {fallbackMode, upstreamOf, type Fallback, type Upstream} from '../config/derived.js'
import {isProjectName, nameMatcher, normalizeName} from '../packaging/names.js'
import {isUploaded, type DistFile} from '../packaging/dist-file.js'
import type {Notes} from './notes.js'
import {encodePathSegment} from './pages/markup.js'
import {Wholeness, type WatchedCache} from './wholeness.js'

/** Which page of a project is asked for: below /simple/, /pypi/ and the root, or its JSON description. */
export type PageKind = 'simple' | 'json'

export interface PageRequest {
  /** As in the URL, decoded, not normalised. */
  readonly name: string
  readonly kind: PageKind
  /** Whether the reader may read the project of that name. */
  readonly mayRead: boolean
  /** Whether the reader's requests may store upstream files here (`pypi.cache_update`). */
  readonly mayUpdate: boolean
  readonly loggedIn: boolean
  /** Whether this index has files of it. */
  readonly exists: boolean
}

/** Whose address the upstream's files get: `here` they are fetched and stored by this server, `there` clients go to the upstream. */
export type LinksTo = 'here' | 'there'

/** Who answers a request for a project's page. `unavailable`: whether the name is ours can't be told yet (503). */
export type Origin =
  | {readonly kind: 'local' | 'unauthorized' | 'unavailable'}
  /** `isDenied`: for want of a right, not of files. */
  | {readonly kind: 'notFound'; readonly isDenied: boolean}
  | {readonly kind: 'redirect'; readonly location: string}
  /** A page with the upstream's files, and with those that are here if there are any. */
  | {readonly kind: 'upstream'; readonly links: LinksTo}

/**
 * Decides who answers for a name, so that private names stay private: what is stored here, was ever published here or
 * is reserved (`pypi.private`, `pypi.disallow_fallback`) is answered by this index alone, whoever asks. The one exception
 * is `pypi.always_show_upstream` (right halves), which mixes what is published here with the upstream's files, but never
 * for a sealed or reserved name.
 * ```
 * exists  read  update  none    redirect, always           cache, always
 * yes     yes   yes     local   local     local + there    local   local + here
 * yes     yes   no      local   local     local + there    local   401, logged in local + there
 * yes     no            denied  denied    denied           denied  denied
 * no      yes   yes     404     302       302              here    here
 * no      yes   no      404     302       302              denied  401, logged in 302
 * no      no            denied  302       302              denied  401, logged in 302
 * ```
 * `denied` is 401, or 404 for who is logged in. A sealed or reserved name is answered as with `none`. While the cache is
 * not complete, a name may be ours without a row, sealed ones too, which were published again: 503 in place of anything of the
 * upstream, and of the 404 that would send a client with a second index of its own there, reserved names first of all (RULES 1).
 */
export class OriginPolicy {
  /** Pages of projects that are here may list upstream's files too. */
  readonly mixes: boolean
  readonly #cache: Pick<Cache, 'changeToken' | 'listFiles'>
  readonly #wholeness: Wholeness
  readonly #notes: Pick<Notes, 'sealed'>
  readonly #fallback: Fallback
  readonly #upstream: Upstream
  readonly #isReserved: (normalizedName: string) => boolean

  constructor(parts: {
    config: Pick<Config, 'core'>
    cache: Pick<Cache, 'changeToken' | 'listFiles'> & WatchedCache
    notes: Pick<Notes, 'sealed'>
    wholeness?: Wholeness
  }) {
    const {core} = parts.config
    this.#cache = parts.cache
    this.#wholeness = parts.wholeness ?? new Wholeness(parts.cache)
    this.#notes = parts.notes
    this.#fallback = fallbackMode(core)
    this.#upstream = upstreamOf(core)
    this.#isReserved = nameMatcher([...core.privateNames, ...core.disallowFallback])
    this.mixes = this.#fallback.alwaysShowUpstream && this.#fallback.mode !== 'none'
  }

  /** No promise where nothing has to be looked up. @throws {PpcError} when cache or notes can't be read. */
  decide(request: PageRequest): Origin | Promise<Origin> {
    const here: Origin = request.exists && request.mayRead ? {kind: 'local'} : denied(request)
    if (request.exists && !(request.mayRead && this.mixes)) return here
    if (!isProjectName(request.name)) return here
    const beyond = request.exists ? this.#mixed(request) : this.#absent(request)
    const project = normalizeName(request.name)
    const wanted = this.#isReserved(project) ? here : beyond
    const isHere = wanted.kind === here.kind
    if (isHere && (request.exists || !request.mayRead)) return here
    return this.#unlessPrivate(project, wanted, here)
  }

  /** Whether what the cache has no row of is not here. */
  knowsAll(): Promise<boolean> {
    return this.#wholeness.isComplete()
  }

  /**
   * Whether a file that is not here may be fetched from the upstream: wherever a page could list it, and also beside files
   * of the project that were fetched before.
   * @param project normalised. @param isPublished it has a file here that did not come from the upstream.
   */
  async mayFetch(project: string, {isPublished}: {readonly isPublished: boolean}): Promise<boolean> {
    if (this.#fallback.mode !== 'cache' || (isPublished && !this.mixes)) return false
    if (!isProjectName(project) || this.#isReserved(project)) return false
    if (await this.isSealed(project)) return false
    return this.mixes ? this.knowsAll() : this.#lacks(project, isUploaded)
  }

  /** Whether `pypi.private` or `pypi.disallow_fallback` names it. @param project normalised. */
  isReserved(project: string): boolean {
    return this.#isReserved(project)
  }

  /** Whether it was published here and deleted. @param project normalised. */
  async isSealed(project: string): Promise<boolean> {
    return (await this.#notes.sealed(await this.#cache.changeToken(project))).has(project)
  }

  async #unlessPrivate(project: string, wanted: Origin, here: Origin): Promise<Origin> {
    // What is here without a row must not be taken for the upstream's: local files win.
    if (here.kind === 'local')
      return (await this.isSealed(project)) || !(await this.knowsAll()) ? here : wanted
    const isSealed = await this.isSealed(project)
    if (!(await this.#lacks(project))) return {kind: 'unavailable'}
    return isSealed ? here : wanted
  }

  #lacks(project: string, which: (file: DistFile) => boolean = () => true): Promise<boolean> {
    return this.#wholeness.isAbsent(async () => (await this.#cache.listFiles(project)).some(which))
  }

  #mixed({loggedIn, mayUpdate}: PageRequest): Origin {
    if (this.#fallback.mode !== 'cache') return {kind: 'upstream', links: 'there'}
    if (mayUpdate) return {kind: 'upstream', links: 'here'}
    return loggedIn ? {kind: 'upstream', links: 'there'} : {kind: 'unauthorized'}
  }

  #absent(request: PageRequest): Origin {
    const {mode} = this.#fallback
    if (mode === 'redirect') return this.#redirect(request)
    if (mode === 'none') return denied(request)
    if (request.mayRead && request.mayUpdate) return {kind: 'upstream', links: 'here'}
    if (this.mixes && request.loggedIn) return this.#redirect(request)
    return withoutRight(request)
  }

  #redirect({name, kind}: PageRequest): Origin {
    const {baseUrl, simpleUrl} = this.#upstream
    const segment = encodePathSegment(name)
    const isJson = kind === 'json' && baseUrl !== undefined
    return {
      kind: 'redirect',
      location: isJson ? `${baseUrl}/pypi/${segment}/json` : `${simpleUrl}/${segment}/`,
    }
  }
}

const denied = (request: PageRequest): Origin =>
  request.mayRead ? {kind: 'notFound', isDenied: false} : withoutRight(request)

const withoutRight = ({loggedIn}: PageRequest): Origin =>
  loggedIn ? {kind: 'notFound', isDenied: true} : {kind: 'unauthorized'}

/** What an operator should know at start-up about where names come from: one sentence each. */
export function originNotices({core}: Pick<Config, 'core'>): string[] {
  const {mode, alwaysShowUpstream} = fallbackMode(core)
  const notices: string[] = []
  if (core.upstreamAge > 0 && (mode === 'redirect' || (mode === 'cache' && alwaysShowUpstream))) {
    notices.push(
      'pypi.upstream_age holds for pages of this server alone: who is redirected to the upstream sees its youngest files too.',
    )
  }
  return notices
}
