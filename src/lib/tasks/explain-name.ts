import {anonymous} from '../access/identity.js'
import {AccessPolicy} from '../access/policy.js'
import type {Backends} from '../backends.js'
import type {Config} from '../config/config.js'
import {fallbackMode, upstreamOf} from '../config/derived.js'
import {Notes} from '../index/notes.js'
import {OriginPolicy, type Origin} from '../index/origin.js'
import {ProjectNotes} from '../index/project-notes.js'
import {UpstreamIndex} from '../index/upstream/upstream-index.js'
import {isUploaded} from '../packaging/dist-file.js'
import {nameMatcher, normalizeName} from '../packaging/names.js'
import {compareVersions} from '../packaging/versions.js'

export interface NameExplanation {
  /** Normalised. */
  readonly project: string
  /** Who answers: this index, the upstream, both on one page, nobody, or nobody yet (the cache is not complete). */
  readonly from: 'here' | 'upstream' | 'both' | 'nobody' | 'unavailable'
  /** What a client gets, in a sentence. */
  readonly verdict: string
  /** What that rests on, a sentence each. */
  readonly facts: readonly string[]
}

export interface ExplainOptions {
  /** `everyone` stands for whoever is not logged in. Undefined: somebody with every right that counts here. */
  readonly user?: string | undefined
  /** Asks the upstream what it has, if a server would do so for that name. */
  readonly ask?: boolean | undefined
}

type Parts = Pick<Backends, 'storage' | 'cache'> & Partial<Pick<Backends, 'access'>>

/** Where a name would come from and why. The decision is the server's own; only its reasons are put together here. */
export async function explainName(
  {storage, cache, access}: Parts,
  config: Config,
  name: string,
  {user, ask = false}: ExplainOptions = {},
): Promise<NameExplanation> {
  const project = normalizeName(name)
  const notes = new Notes(storage)
  const origin = new OriginPolicy({config, cache, notes})
  const files = await cache.listFiles(project)
  const reader = await rightsOf(access, config, user, project)
  const found = await origin.decide({name, kind: 'simple', exists: files.length > 0, ...reader.rights})
  const {status} = await new ProjectNotes(notes, cache).of(project)
  const seal = (await notes.listSeals()).find(sealed => sealed.name === project)
  const uploaded = files.filter(isUploaded).length
  const facts = [
    factAboutFiles(files.length, uploaded),
    ...reservations(config, project),
    ...(seal
      ? [
          `it was published here and deleted${seal.since ? ` on ${seal.since.slice(0, 10)}` : ''}: it is sealed`,
        ]
      : []),
    ...(status ? [`the project is ${status.state}`] : []),
    ...((await origin.knowsAll())
      ? []
      : ['the cache is not complete: it may be here although no row says so']),
    ...reader.facts,
    factAboutMode(config),
  ]
  const asksUpstream = found.kind === 'upstream' || found.kind === 'redirect'
  if (ask)
    facts.push(asksUpstream ? await factOfUpstream(config, project) : 'the upstream is not asked about it')
  return {project, ...verdictOf(found, files.length > 0), facts}
}

async function rightsOf(
  access: Backends['access'] | undefined,
  config: Config,
  user: string | undefined,
  project: string,
) {
  if (!access || user === undefined) {
    return {rights: {mayRead: true, mayUpdate: true, loggedIn: true}, facts: []}
  }
  const policy = new AccessPolicy(access, config)
  const identity = (user === 'everyone' ? undefined : await policy.identify(user)) ?? anonymous
  const mayRead = await policy.can(identity, project, 'read')
  const mayUpdate = policy.mayStoreCopies(identity, project)
  const loggedIn = identity.username !== undefined
  const who = loggedIn
    ? user
    : user === 'everyone'
      ? 'whoever is not logged in'
      : `${user}, who can not log in,`
  return {
    rights: {mayRead, mayUpdate, loggedIn},
    facts: [
      `${who} may ${mayRead ? '' : 'not '}read it (ppc access explain says why)`,
      `${who} may ${mayUpdate ? '' : 'not '}have upstream files stored here (pypi.cache_update)`,
    ],
  }
}

function factAboutFiles(all: number, uploaded: number): string {
  if (all === 0) return 'no file of it is here'
  const copies = all - uploaded
  const here = all === 1 ? '1 file of it is here' : `${all} files of it are here`
  if (copies === 0) return `${here}, published here`
  return uploaded === 0
    ? `${here}, fetched from the upstream`
    : `${here}: ${uploaded} published here, ${copies} fetched from the upstream`
}

function reservations({core}: Config, project: string): string[] {
  const by = (key: string, patterns: readonly string[]) =>
    patterns
      .filter(pattern => nameMatcher([pattern])(project))
      .map(pattern => `${key} reserves it${normalizeName(pattern) === project ? '' : ` with ${pattern}`}`)
  return [...by('pypi.private', core.privateNames), ...by('pypi.disallow_fallback', core.disallowFallback)]
}

function factAboutMode({core}: Config): string {
  const {mode, alwaysShowUpstream} = fallbackMode(core)
  if (mode === 'none') return 'pypi.fallback = none: no name leads to an upstream'
  const upstream = upstreamOf(core).simpleUrl
  const mixes = alwaysShowUpstream ? ' with pypi.always_show_upstream' : ''
  return `pypi.fallback = ${mode}${mixes}, and the upstream is ${upstream}`
}

function verdictOf(found: Origin, exists: boolean): Pick<NameExplanation, 'from' | 'verdict'> {
  switch (found.kind) {
    case 'local':
      return {from: 'here', verdict: 'answered from what is here alone'}
    case 'redirect':
      return {from: 'upstream', verdict: `redirected to ${found.location}`}
    case 'upstream': {
      const how =
        found.links === 'here' ? 'fetched, checked and stored by this server' : 'linked at the upstream'
      return exists
        ? {from: 'both', verdict: `what is here, mixed with the upstream's files, which are ${how}`}
        : {from: 'upstream', verdict: `the upstream's files, ${how}`}
    }
    case 'unavailable':
      return {from: 'unavailable', verdict: '503 until the cache is complete'}
    case 'unauthorized':
      return {from: 'nobody', verdict: '401: a login is asked for'}
    case 'notFound':
      return {from: 'nobody', verdict: `404${found.isDenied ? ', for want of a right' : ''}`}
  }
}

async function factOfUpstream(config: Config, project: string): Promise<string> {
  await using upstream = new UpstreamIndex(config)
  const {project: found} = await upstream.find(project)
  if (!found || found.files.length === 0) return 'the upstream has no file of it'
  const newest =
    found.files
      .map(({version}) => version)
      .sort(compareVersions)
      .at(-1) ?? ''
  return `the upstream has ${found.files.length} files of it, up to version ${newest}`
}
