import {createHash} from 'node:crypto'
import {LRUCache} from 'lru-cache'
import type {DynamoClient} from './client.js'
import {textOf} from './items.js'
import {keyIs, readProjects} from './project.js'
import {getItemsOf, queryCount, scan} from './reads.js'
import {filesByProject, ours, type TableIdentity, type Tables} from './tables.js'
import type {HostCounter} from '../../host-counter.js'

/** How old an answer of the server may be (RULES 9), and when the next is fetched beforehand. */
const freshMs = 1000
const refreshMs = 500
const namesKept = 10_000
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
  reads: number
  running: Promise<string> | undefined
}

/**
 * Change tokens. Of a project the server is asked at most once a second: for its item (pypicloud's uploads), the number of
 * its files (pypicloud's deletions) and our own counter (ours from other hosts). Without a project: all items of projects
 * and our counter of all writes. Processes of one host tell each other by a file.
 */
export class ChangeTokens {
  readonly #known = new LRUCache<string, Known>({max: namesKept})

  constructor(
    private readonly client: DynamoClient,
    private readonly tables: Tables,
    private readonly identity: TableIdentity,
    private readonly host: HostCounter,
  ) {}

  /** No promise when the answer is known. */
  token(project: string | undefined): string | Promise<string> {
    const key = project === undefined ? 'all' : `:${project}`
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
    const names = ['all', ...Array.from(projects, name => `:${name}`)]
    this.host.bump(names)
    // without a file for the host, at least this process knows at once
    for (const name of names) this.#known.delete(name)
  }

  #entry(key: string): Known {
    const known = this.#known.get(key) ?? {
      token: undefined,
      state: '',
      askedAt: -Infinity,
      freshMs,
      settling: 0,
      reads: 0,
      running: undefined,
    }
    this.#known.set(key, known)
    return known
  }

  #ask(known: Known, project: string | undefined): Promise<string> {
    const askedAt = performance.now()
    const asking = this.#read(known, project)
      .then(state => {
        known.settling = state === known.state ? known.settling - 1 : settlingReads
        if (state !== known.state || known.settling > 0) known.reads += 1
        known.state = state
        known.askedAt = askedAt
        return (known.token = `${state} ${known.reads}`)
      })
      .finally(() => {
        known.running = undefined
      })
    return (known.running = asking)
  }

  async #read(known: Known, project: string | undefined): Promise<string> {
    const [tables, state] = await Promise.all([
      this.identity.read(),
      project === undefined ? this.#readAll(known) : this.#readProject(project),
    ])
    return createHash('md5').update(`${tables} ${state}`).digest('base64url')
  }

  async #readProject(project: string): Promise<string> {
    const [{summaries, versions}, count] = await Promise.all([
      readProjects(this.client, this.tables, [project]),
      queryCount(this.client, {
        TableName: this.tables.files,
        IndexName: filesByProject,
        ...keyIs('name', project),
      }),
    ])
    const item = summaries.get(project)
    return `${item?.['last_modified']?.N ?? ''} ${count} ${versions.get(project) ?? 0} ${textOf(item, 'summary') ?? ''}`
  }

  async #readAll(known: Known): Promise<string> {
    const hash = createHash('md5')
    let pages = 0
    const key = {part: {S: ours.allWrites}, name: {S: '-'}}
    const [[writes]] = await Promise.all([
      getItemsOf(this.client, {table: this.tables.ours, keys: [key]}),
      scan(this.client, {TableName: this.tables.projects}, 1, items => {
        pages += 1
        for (const item of items) {
          hash.update(
            `${textOf(item, 'name') ?? ''}\n${item['last_modified']?.N ?? ''}\n${textOf(item, 'summary') ?? ''}\n`,
          )
        }
      }),
    ])
    known.freshMs = freshMs * Math.max(1, pages)
    return `${hash.digest('base64url')} ${writes?.['version']?.N ?? ''}`
  }
}
