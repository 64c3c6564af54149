import {createHash} from 'node:crypto'
import type {DynamoClient} from './client.js'
import {textOf, type Item} from './items.js'
import {keyIs, readProjects} from './project.js'
import {getItemsOf, queryCount, scan} from './reads.js'
import {filesByProject, ours, type TableIdentity, type Tables} from './tables.js'
import type {HostCounter} from '../../host-counter.js'
import {growingLru} from '../../growing-lru.js'

/** How old an answer of the server may be (RULES 9), and when the next is fetched beforehand. */
const freshMs = 1000
const refreshMs = 500
const namesKept = 10_000
/** Of so many the server is asked within a second: the items of more are read less often. */
const projectsASecond = 6000
/** How often a token changes again after a change: pypicloud's writes may reach the index, and the page, later. */
const settlingReads = 4

interface Known {
  /** Undefined before the first answer. */
  token: string | undefined
  state: string
  /** Monotonic time at which the last answer was asked for. */
  askedAt: number
  /** Of the global token: a scan of many megabytes is not made every second. */
  freshMs: number
  settling: number
  /** Counted over all names: a token that was given is never given again for another state. */
  reads: number
  /** What a listing of then shows: see `noteListed`. */
  listed: string
  running: Promise<string> | undefined
}

/**
 * Change tokens. Of a project the server is asked at most once a second: for its item (pypicloud's uploads), the number of
 * its files (pypicloud's deletions) and our own counter (ours from other hosts). Without a project: all items of projects
 * and our counter of all writes. Processes of one host tell each other by a file.
 */
export class ChangeTokens {
  readonly #known = growingLru<Known>(namesKept)
  #reads = 0

  constructor(
    private readonly client: DynamoClient,
    private readonly tables: Tables,
    private readonly identity: TableIdentity,
    private readonly host: HostCounter,
  ) {}

  /** No promise when the answer is known. */
  token(project: string | undefined): string | Promise<string> {
    const key = keyOf(project)
    const local = this.host.read(key)
    const known = this.#entry(key)
    const age = performance.now() - known.askedAt
    if (known.token === undefined || age > known.freshMs) {
      return (known.running ?? this.#ask(known, project)).then(token => `${local} ${token}`)
    }
    // those who ask often never wait: the next answer is on its way before this one is too old
    if (age > refreshMs * (known.freshMs / freshMs) && !known.running) {
      this.#ask(known, project).catch(() => undefined) // whoever comes when it is too old asks again, and hears of it
    }
    return `${local} ${known.token}`
  }

  /** To be called after every write of ours. */
  noteWrite(projects: Iterable<string>): void {
    const names = [undefined, ...projects].map(keyOf)
    this.host.bump(names)
    // without a file for the host, at least this process knows at once
    for (const name of names) this.#known.delete(name)
  }

  /**
   * What was listed of a project (its item, or none), or of all (their names). Where that is not what the token stands for,
   * the token is never given again: what pypicloud adds and deletes within a second brings the same state back, and what
   * was listed in between would be believed for ever.
   */
  noteListed(project: string | undefined, found: Item | undefined | readonly string[]): void {
    const known = this.#known.get(keyOf(project))
    const listed = Array.isArray(found) ? digestOfNames(found) : describeItem(found as Item | undefined)
    if (known?.token === undefined || known.listed === listed) return
    known.listed = listed
    known.reads = this.#reads += 1
    known.token = tokenOf(known)
  }

  #entry(key: string): Known {
    const known = this.#known.get(key) ?? {
      token: undefined,
      state: '',
      askedAt: -Infinity,
      freshMs,
      settling: 0,
      reads: 0,
      listed: '',
      running: undefined,
    }
    this.#known.set(key, known)
    return known
  }

  #ask(known: Known, project: string | undefined): Promise<string> {
    const askedAt = performance.now()
    const asking = this.#read(known, project)
      .then(({state, listed}) => {
        known.settling = state === known.state ? known.settling - 1 : settlingReads
        if (state !== known.state || known.settling > 0) known.reads = this.#reads += 1
        Object.assign(known, {state, listed, askedAt})
        return (known.token = tokenOf(known))
      })
      .finally(() => {
        known.running = undefined
      })
    return (known.running = asking)
  }

  async #read(known: Known, project: string | undefined): Promise<Pick<Known, 'state' | 'listed'>> {
    const [tables, {state, listed}] = await Promise.all([
      this.identity.read(),
      project === undefined ? this.#readAll(known) : this.#readProject(project),
    ])
    return {state: createHash('md5').update(`${tables} ${state}`).digest('base64url'), listed}
  }

  async #readProject(project: string): Promise<Pick<Known, 'state' | 'listed'>> {
    const [{summaries, versions}, count] = await Promise.all([
      readProjects(this.client, this.tables, [project]),
      queryCount(this.client, {
        TableName: this.tables.files,
        IndexName: filesByProject,
        ...keyIs('name', project),
      }),
    ])
    const listed = describeItem(summaries.get(project))
    return {state: `${count} ${versions.get(project) ?? 0} ${listed}`, listed}
  }

  async #readAll(known: Known): Promise<Pick<Known, 'state' | 'listed'>> {
    const hash = createHash('md5')
    const names: string[] = []
    const key = {part: {S: ours.allWrites}, name: {S: '-'}}
    const [[writes]] = await Promise.all([
      getItemsOf(this.client, {table: this.tables.ours, keys: [key]}),
      scan(this.client, {TableName: this.tables.projects}, 1, items => {
        for (const item of items) {
          const name = textOf(item, 'name') ?? ''
          names.push(name)
          hash.update(`${name}\n${describeItem(item)}\n`)
        }
      }),
    ])
    known.freshMs = freshMs * Math.max(1, Math.ceil(names.length / projectsASecond))
    return {
      state: `${hash.digest('base64url')} ${writes?.['version']?.N ?? ''}`,
      listed: digestOfNames(names),
    }
  }
}

const keyOf = (project: string | undefined): string => (project === undefined ? 'all' : `:${project}`)
const tokenOf = ({state, reads}: Known): string => `${state} ${reads}`
const describeItem = (item: Item | undefined): string =>
  item ? `${item['last_modified']?.N ?? ''} ${textOf(item, 'summary') ?? ''}` : ''
/** In whatever order they come. */
const digestOfNames = (names: readonly string[]): string =>
  createHash('md5')
    .update([...names].sort().join('\n'))
    .digest('base64url')
