import {LRUCache} from 'lru-cache'
import {show, type UpstreamAnswer, type UpstreamConnection} from './connection.js'
import {UpstreamDown, UpstreamRefused} from './errors.js'
import {readLegacyJson} from './legacy-json.js'
import {upstreamProject, type UpstreamProject} from './project.js'
import {readBody} from './read-body.js'
import {readSimpleHtml} from './simple-html.js'
import {readSimpleJson} from './simple-json.js'
import type {UpstreamWatch} from './watch.js'

const accept =
  'application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.1'
/** Bytes of a page, decoded. The largest of the public index are a third of it. */
const largestPage = 64 * 1024 * 1024
/** Seconds for a whole page. */
const pageSeconds = 60
/** Seconds for which a page is not asked about again: where the upstream does not say, and at most. */
const usualFreshness = 60
const longestFreshness = 600
/** Seconds for which the upstream is believed that it has no such project. */
const absentFor = 30
/** Seconds for which a failure is not tried again. */
const failedFor = 5
/** Seconds for which a page that can't be renewed is better than none. */
const staleFor = 24 * 3600
/** Bytes of pages that are kept. */
const capacity = 48 * 1024 * 1024

/** What the upstream says of a project. */
export interface FoundProject {
  /** Undefined: it has none of that name. */
  readonly project: UpstreamProject | undefined
  /** Since the upstream last said so. */
  readonly ageSeconds: number
  /** It can't be asked now: this is what it said before. */
  readonly isStale: boolean
}

interface Known {
  readonly project: UpstreamProject | undefined
  /** By `performance.now()`. */
  readonly checkedAt: number
  readonly freshUntil: number
  readonly etag: string | undefined
  readonly lastModified: string | undefined
}

export interface ProjectsOptions {
  readonly connection: UpstreamConnection
  /** A project's page is below it; no slash at its end. */
  readonly simpleUrl: string
  /** Of the JSON API, asked where the simple pages are HTML; no slash at its end. */
  readonly legacyUrl?: string | undefined
  /** Called when a stale page takes the place of one that failed. */
  readonly onStale?: (name: string, error: Error, ageSeconds: number) => void
  readonly watch?: UpstreamWatch | undefined
}

/**
 * Pages of upstream projects, kept for a while, asked about by one request at a time and only on condition that they have
 * changed. While the upstream fails, the last known page stands in.
 */
export class UpstreamProjects {
  readonly #known = new LRUCache<string, Known>({
    maxSize: capacity,
    sizeCalculation: ({project}, name) => 500 + name.length + 700 * (project?.files.length ?? 0),
  })
  /** By name; under '' that nobody answered at all. */
  readonly #failed = new LRUCache<string, {readonly error: Error; readonly until: number}>({max: 10_000})
  readonly #asking = new Map<string, Promise<Known>>()
  /** It has answered PEP 691 once: what has no simple page has no other either. */
  #speaksJson = false

  constructor(private readonly options: ProjectsOptions) {}

  /** @param name normalised. @throws {UpstreamDown} @throws {UpstreamRefused} when nothing is known of it either. */
  async find(name: string): Promise<FoundProject> {
    const before = this.#known.get(name)
    const now = performance.now()
    const {watch} = this.options
    if (before && before.freshUntil > now) {
      watch?.pageFrom('kept')
      return found(before, false)
    }
    try {
      const renewed = await this.#renew(name, before)
      watch?.pageFrom('upstream')
      return found(renewed, false)
    } catch (error) {
      if (!(error instanceof UpstreamDown || error instanceof UpstreamRefused)) throw error
      const ageSeconds = before ? age(before) : Infinity
      if (!before || ageSeconds > staleFor) throw error
      watch?.pageFrom('stale')
      this.options.onStale?.(name, error, ageSeconds)
      return found(before, true)
    }
  }

  async #renew(name: string, before: Known | undefined): Promise<Known> {
    const failed = [this.#failed.get(name), this.#failed.get('')].find(
      entry => entry && entry.until > performance.now(),
    )
    if (failed) throw failed.error
    const running = this.#asking.get(name)
    if (running) return running
    const asking = this.#ask(name, before)
    this.#asking.set(name, asking)
    try {
      const known = await asking
      this.#known.set(name, known)
      return known
    } catch (error) {
      const until = performance.now() + failedFor * 1000
      const key = error instanceof UpstreamDown && error.isUnreachable ? '' : name
      this.#failed.set(key, {error: error as Error, until})
      throw error
    } finally {
      this.#asking.delete(name)
    }
  }

  async #ask(name: string, before: Known | undefined): Promise<Known> {
    const {connection, simpleUrl} = this.options
    const url = new URL(`${simpleUrl}/${encodeURIComponent(name)}/`)
    const answer = await connection.get(url, {
      wanted: 'page',
      headers: {accept, 'accept-encoding': 'gzip', ...conditions(before)},
      totalSeconds: pageSeconds,
    })
    if (answer.status === 304 && before) {
      answer.body.destroy()
      return {...before, ...freshness(answer)}
    }
    if (answer.status === 404 || answer.status === 410) {
      answer.body.destroy()
      const project = this.#speaksJson ? undefined : await this.#askLegacy(name)
      return {
        project,
        ...(project ? freshness(answer) : lasting(absentFor)),
        etag: undefined,
        lastModified: undefined,
      }
    }
    checkStatus(answer)
    return {
      project: await this.#read(name, answer),
      ...freshness(answer),
      etag: answer.header('etag'),
      lastModified: answer.header('last-modified'),
    }
  }

  async #read(name: string, answer: UpstreamAnswer): Promise<UpstreamProject> {
    const {url} = answer
    const type = answer.header('content-type')?.toLowerCase() ?? ''
    const text = (await readBody(answer, largestPage)).toString('utf8')
    if (type === '' ? text.startsWith('{') : /^application\/(?:[\w.+-]+\+)?json\b/.test(type)) {
      const project = upstreamProject(name, readSimpleJson(text, show(url)), {base: url})
      this.#speaksJson = true
      return project
    }
    if (type !== '' && !/^(?:text\/html|application\/vnd\.pypi\.simple\.\w+\+html)\b/.test(type)) {
      throw new UpstreamRefused(
        `${show(url)} is of the type ${type.slice(0, 100)}, not a page of the simple API`,
      )
    }
    const {files, base} = readSimpleHtml(text, url)
    return (await this.#askLegacy(name)) ?? upstreamProject(name, files, {base})
  }

  /** Undefined where there is no such page, or none that can be read: the HTML page has to do then. */
  async #askLegacy(name: string): Promise<UpstreamProject | undefined> {
    const {connection, legacyUrl} = this.options
    if (legacyUrl === undefined) return undefined
    const url = new URL(`${legacyUrl}/${encodeURIComponent(name)}/json`)
    const answer = await connection.get(url, {
      wanted: 'page',
      headers: {accept: 'application/json', 'accept-encoding': 'gzip'},
      totalSeconds: pageSeconds,
    })
    if (answer.status !== 200) {
      answer.body.destroy()
      if (answer.status >= 500 || answer.status === 429) checkStatus(answer)
      return undefined
    }
    const text = (await readBody(answer, largestPage)).toString('utf8')
    const {files, summary} = readLegacyJson(text, show(answer.url))
    return upstreamProject(name, files, {base: answer.url, summary})
  }
}

const age = ({checkedAt}: Known): number => Math.floor((performance.now() - checkedAt) / 1000)
const found = (known: Known, isStale: boolean): FoundProject => ({
  project: known.project,
  ageSeconds: age(known),
  isStale,
})

function conditions(before: Known | undefined): Record<string, string> {
  if (before?.etag !== undefined) return {'if-none-match': before.etag}
  if (before?.lastModified !== undefined) return {'if-modified-since': before.lastModified}
  return {}
}

/** RFC 9111, as far as pages of an index need it. */
function freshness(answer: UpstreamAnswer): Pick<Known, 'checkedAt' | 'freshUntil'> {
  const control = (answer.header('cache-control') ?? '').toLowerCase()
  const maxAge = /(?:^|[\s,])max-age="?(\d{1,9})/.exec(control)?.[1]
  const elapsed = Number(answer.header('age') ?? 0) || 0
  const allowed = /no-cache|no-store/.test(control)
    ? 0
    : maxAge === undefined
      ? usualFreshness
      : Number(maxAge) - elapsed
  return lasting(Math.max(0, Math.min(longestFreshness, allowed)))
}

function lasting(seconds: number): Pick<Known, 'checkedAt' | 'freshUntil'> {
  const checkedAt = performance.now()
  return {checkedAt, freshUntil: checkedAt + seconds * 1000}
}

/** @throws {UpstreamDown} @throws {UpstreamRefused} for everything but 200. */
export function checkStatus({status, url, body}: UpstreamAnswer): void {
  if (status === 200) return
  body.destroy()
  if (status === 401 || status === 403) {
    throw new UpstreamRefused(`${show(url)} answers ${status}`, {
      hint: 'If the upstream wants a login, set pypi.upstream_username and pypi.upstream_password.',
    })
  }
  if (status >= 500 || status === 429) throw new UpstreamDown(`${show(url)} answers ${status}`)
  throw new UpstreamRefused(`${show(url)} answers ${status}`)
}
