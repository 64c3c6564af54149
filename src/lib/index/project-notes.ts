import type {Cache} from '../cache/cache.js'
import {InvalidInput, NotFound, NotKept, PpcError, Unavailable} from '../errors.js'
import type {DistFile} from '../packaging/dist-file.js'
import {quote} from '../packaging/filenames.js'
import {sameVersion} from '../packaging/versions.js'
import {NotesOutOfReach} from '../storage/storage.js'
import type {Notes} from './notes.js'
import {
  factsOf,
  statusMember,
  withEntry,
  withoutVersion,
  withYanks,
  yankedMember,
  yanksIn,
  type NotedYanks,
  type ProjectFacts,
  type ProjectState,
} from './project-facts.js'
import {Wholeness, type WatchedCache} from './wholeness.js'
import {growingLru} from '../growing-lru.js'

/** Milliseconds after which the notes are read again behind the answers: another server may have another cache. */
const pollEvery = 1000
/** Milliseconds that anybody waits for notes, where something is known already. */
const patience = 2000
const namesKept = 10_000
const longestReason = 500

/** Who says it, and why. */
export interface Saying {
  readonly reason?: string | undefined
  readonly by?: string | undefined
}

/**
 * Yanks and states of projects, as all servers of a storage know them. They are noted in the storage; after each change
 * a row of the project is written too, so that whoever watches the cache reads the notes again.
 */
export class ProjectNotes {
  #members: ReadonlyMap<string, unknown> | undefined
  #text = textOf(new Map())
  #version = 0
  /** Monotonic times: when the last reading began, and when one failed. */
  #readAt = -Infinity
  #failedAt = -Infinity
  /** When we have changed something ourselves. */
  #changedAt = -Infinity
  #reading: {readonly since: number; readonly done: Promise<void>} | undefined
  /** Since when a project has had the change token that it has. */
  readonly #tokens = growingLru<{readonly token: string; readonly since: number}>(namesKept)

  constructor(
    private readonly notes: Pick<Notes, 'readLasting' | 'changeOther' | 'areKept'>,
    private readonly cache: Pick<Cache, 'changeToken' | 'listFiles' | 'findFiles' | 'save'> & WatchedCache,
    private readonly wholeness = new Wholeness(cache),
  ) {}

  /** Differs when anything here has changed. */
  get version(): number {
    return this.#version
  }

  /**
   * @param project normalised.
   * @throws {Unavailable} or {StorageFailed} when the notes could not be read even once: a quarantine may be among them.
   */
  async of(project: string): Promise<ProjectFacts> {
    const token = await this.cache.changeToken(project)
    const now = performance.now()
    let seen = this.#tokens.get(project)
    if (seen?.token !== token) this.#tokens.set(project, (seen = {token, since: now}))
    const since = Math.max(seen.since, this.#changedAt)
    if (this.#members === undefined || (this.#readAt < since && now - this.#failedAt > pollEvery)) {
      await this.#readSince(since)
    } else this.poll()
    return factsOf(this.#members ?? new Map<string, unknown>(), project)
  }

  /** What is known of any project at this moment. @throws as `of`. */
  async snapshot(): Promise<(project: string) => ProjectFacts> {
    await this.#readSince(performance.now())
    const members = this.#members ?? new Map<string, unknown>()
    return project => factsOf(members, project)
  }

  /** Reads the notes behind the answers, now and then. Costs nothing in between. */
  poll(): void {
    if (performance.now() - this.#readAt < pollEvery || this.#reading) return
    this.#readSince(-Infinity).catch(() => undefined)
  }

  /**
   * Takes a release, or one file of it, from those that do not ask for exactly it (PEP 592). Again: with another reason.
   * @param target a version in any spelling, or a file name.
   * @returns the files that are meant. @throws {NotFound}
   */
  async yank(project: string, target: string, saying: Saying): Promise<DistFile[]> {
    const {files, isFile} = await this.#find(project, target)
    const yank = said(saying)
    await this.#changeYanks(project, ({versions, files: single}) =>
      isFile
        ? {versions, files: {...single, [target]: yank}}
        : {versions: {...withoutVersion(versions, target), [target]: yank}, files: single},
    )
    await this.#tell(files)
    return files
  }

  /** @returns the files that are meant. @throws {NotFound} */
  async unyank(project: string, target: string): Promise<DistFile[]> {
    const {files, isFile, version} = await this.#find(project, target)
    const all = await this.cache.listFiles(project)
    await this.#changeYanks(project, ({versions, files: single}) => {
      const others = withoutVersion(versions, version)
      const release = Object.entries(versions).find(([noted]) => sameVersion(noted, version))?.[1]
      const names = new Set(files.map(({filename}) => filename))
      const left = Object.entries(single).filter(([name]) => !names.has(name))
      if (!isFile || !release) return {versions: isFile ? versions : others, files: Object.fromEntries(left)}
      // The rest of the release stays yanked.
      const siblings = all.filter(file => sameVersion(file.version, version) && !names.has(file.filename))
      const rest = siblings.map(({filename}) => [filename, release] as const)
      return {versions: others, files: Object.fromEntries([...rest, ...left])}
    })
    await this.#tell(files)
    return files
  }

  /** A file of that name that comes later is another one. @param isLast of its release. */
  async forget(file: DistFile, {isLast}: {readonly isLast: boolean}): Promise<void> {
    const {yanked} = await this.of(file.name)
    if (yanked.files.size + yanked.versions.size === 0) return
    await this.#changeYanks(file.name, ({versions, files}) => ({
      versions: isLast ? withoutVersion(versions, file.version) : versions,
      files: Object.fromEntries(Object.entries(files).filter(([name]) => name !== file.filename)),
    }))
  }

  /** @param project normalised; it need not have files. */
  async setStatus(project: string, state: ProjectState, saying: Saying): Promise<void> {
    this.#requireNotes()
    const entry = state === 'active' ? undefined : {state, ...said(saying)}
    await this.notes.changeOther(statusMember, member => withEntry(member, project, entry))
    this.#changedAt = performance.now()
    await this.#tell(await this.cache.listFiles(project))
  }

  async #find(project: string, target: string) {
    const all = await this.wholeness.whole(() => this.cache.listFiles(project))
    const file = all.find(({filename}) => filename === target)
    if (file) return {files: [file], isFile: true, version: file.version}
    const files = all.filter(({version}) => sameVersion(version, target))
    if (files.length > 0) return {files, isFile: false, version: target}
    throw new NotFound(
      all.length === 0
        ? `There is no project ${quote(project)} here`
        : `${project} has no version and no file ${quote(target)}`,
    )
  }

  async #changeYanks(project: string, edit: (yanks: NotedYanks) => NotedYanks): Promise<void> {
    this.#requireNotes()
    await this.notes.changeOther(yankedMember, member =>
      withYanks(member, project, edit(yanksIn(member, project))),
    )
    this.#changedAt = performance.now()
  }

  #requireNotes(): void {
    if (!this.notes.areKept) {
      throw new NotKept('This storage has no place where yanks and states of projects could be kept')
    }
  }

  /** Writes a row anew: all who watch the cache take the project for changed. That of somebody else does as well. */
  async #tell(files: readonly DistFile[]): Promise<void> {
    const [file] = files
    if (!file) return
    const rows = await this.cache.findFiles([file.filename])
    const noted = new Date().toISOString()
    const next = [...rows.values()].map(row => ({...row, data: {...row.data, noted}}))
    await this.cache.save(next, {seen: rows})
  }

  /** What is known afterwards was read after `since`, unless reading fails and something is known already. */
  async #readSince(since: number): Promise<void> {
    if (!this.#reading || this.#reading.since < since) {
      const reading = {since: performance.now(), done: this.#read()}
      this.#reading = reading
      const done = () => {
        if (this.#reading === reading) this.#reading = undefined
      }
      reading.done.then(done, done)
    }
    try {
      const {done} = this.#reading
      await (this.#members === undefined ? done : inTime(done))
    } catch (error) {
      this.#failedAt = performance.now()
      if (!(error instanceof PpcError) || this.#members === undefined) throw error
    }
  }

  async #read(): Promise<void> {
    const began = performance.now()
    const lasting = await this.notes.readLasting().catch((error: unknown) => {
      if (error instanceof NotesOutOfReach) return undefined // then nobody could note anything by this config
      throw error
    })
    const members = lasting?.others ?? new Map<string, unknown>()
    if (began < this.#readAt) return
    const text = textOf(members)
    if (text !== this.#text) this.#version += 1
    this.#text = text
    this.#members = members
    this.#readAt = began
  }
}

const textOf = (members: ReadonlyMap<string, unknown>): string =>
  JSON.stringify([members.get(statusMember), members.get(yankedMember)])

/** @throws {Unavailable} when it takes too long. */
async function inTime(work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Unavailable('the notes of the storage take too long')), patience)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

function said({reason = '', by}: Saying) {
  const text = reason.trim().replace(/\s+/g, ' ')
  if (text.length > longestReason) {
    throw new InvalidInput(`The reason is longer than ${longestReason} characters`)
  }
  return {...(text !== '' && {reason: text}), since: new Date().toISOString(), ...(by !== undefined && {by})}
}
