import {GetItemCommand, ScanCommand, UpdateItemCommand} from '@aws-sdk/client-dynamodb'
import {byCodePoint} from '../../by-code-point.js'
import type {Config} from '../../config/config.js'
import {dynamoCacheFields} from '../../config/schema/cache.js'
import type {DistFile, ProjectSummary} from '../../packaging/dist-file.js'
import {LockLost} from '../../errors.js'
import {
  sameRow,
  type Cache,
  type Lock,
  type LockOptions,
  type SaveOptions,
  type SearchCriteria,
  type SearchOperator,
  type WriteOptions,
} from '../cache.js'
import {ChangeMaker} from './change-maker.js'
import {DynamoClient, originOf, type DynamoSettings} from './client.js'
import {fileOfItem, summaryOfItem, textOf, type Item} from './items.js'
import {DynamoLock, DynamoLocks} from './lock.js'
import type {Change} from './plan.js'
import {findFilesOf, readProject} from './project.js'
import {getItemsOf, projection, scan, segmentsFor} from './reads.js'
import {searchFilenames} from './search.js'
import {DynamoState} from './state.js'
import {createTables, ours, TableIdentity, tablesOf, type Tables} from './tables.js'
import {ChangeTokens} from './tokens.js'
import {HostCounter} from '../../host-counter.js'

/** `pypi.db = dynamo`: pypicloud's two tables, and one of ours. */
export const openDynamoCache = (config: Config): Promise<Cache> =>
  openDynamoCacheOf(config.read(dynamoCacheFields), config.file)

/** As `openDynamoCache`. @param file of the config, for messages. */
export async function openDynamoCacheOf(settings: DynamoSettings, file: string): Promise<DynamoCache> {
  const client = new DynamoClient(settings, originOf(settings, file))
  try {
    const tables = tablesOf(settings)
    await createTables(client, tables)
    return new DynamoCache(client, tables)
  } catch (error) {
    client[Symbol.dispose]()
    throw error
  }
}

const rowsPerPage = 1000

export class DynamoCache implements Cache {
  readonly name: string
  readonly #identity: TableIdentity
  readonly #host: HostCounter
  readonly #tokens: ChangeTokens
  readonly #changes: ChangeMaker
  readonly #locks: DynamoLocks
  readonly #state: DynamoState
  /** Projects whose item has no files, being looked into. */
  readonly #orphans = new Map<string, Promise<Map<string, Item>>>()

  constructor(
    private readonly client: DynamoClient,
    private readonly tables: Tables,
  ) {
    this.name = `${client.origin.service}, table ${tables.files}`
    this.#identity = new TableIdentity(client, tables)
    this.#host = new HostCounter(this.name)
    this.#tokens = new ChangeTokens(client, tables, this.#identity, this.#host)
    this.#changes = new ChangeMaker(client, tables)
    this.#locks = new DynamoLocks(client, tables)
    this.#state = new DynamoState(client, tables, this.#identity)
  }

  async findFile(filename: string): Promise<DistFile | undefined> {
    return (await this.findFiles([filename])).get(filename)
  }

  async findFiles(filenames: readonly string[]): Promise<Map<string, DistFile>> {
    const keys = Array.from(new Set(filenames), filename => ({filename: {S: filename}}))
    const items = await getItemsOf(this.client, {table: this.tables.files, keys})
    return new Map(filesOf(items).map(file => [file.filename, file]))
  }

  async listFiles(project: string): Promise<DistFile[]> {
    const [found, {Item: summary}] = await Promise.all([
      readProject(this.client, this.tables, project),
      this.client.send(
        new GetItemCommand({
          TableName: this.tables.projects,
          Key: {name: {S: project}},
          ConsistentRead: true,
        }),
      ),
    ])
    this.#tokens.noteListed(project, summary)
    if (found.size > 0 || !summary) return filesOf(found.values())
    return filesOf((await this.#lookInto(project, summary)).values())
  }

  async listProjects(): Promise<string[]> {
    const names: string[] = []
    await this.#scan(this.tables.projects, ['name'], items => {
      names.push(...items.flatMap(item => textOf(item, 'name') ?? []))
    })
    this.#tokens.noteListed(undefined, names)
    return names.sort(byCodePoint)
  }

  async listSummaries(): Promise<ProjectSummary[]> {
    const summaries: ProjectSummary[] = []
    await this.#scan(this.tables.projects, undefined, items => {
      summaries.push(...items.flatMap(item => summaryOfItem(item) ?? []))
    })
    return summaries.sort((a, b) => byCodePoint(a.name, b.name))
  }

  /** DynamoDB knows no order: the names of all files are held and sorted, and the files read by a thousand. */
  async *listAllFiles(): AsyncGenerator<DistFile> {
    const names: string[] = []
    await this.#scan(this.tables.files, ['filename'], items => {
      for (const item of items) names.push(textOf(item, 'filename') ?? '')
    })
    names.sort(byCodePoint)
    for (let start = 0; start < names.length; start += rowsPerPage) {
      const files = await this.findFiles(names.slice(start, start + rowsPerPage))
      yield* [...files.values()].sort((a, b) => byCodePoint(a.filename, b.filename))
    }
  }

  async countFiles(): Promise<number> {
    let total = 0
    await this.#scan(this.tables.files, undefined, (_, count) => (total += count), {Select: 'COUNT'})
    return total
  }

  /** All or nothing up to a transaction's size, see `ChangeMaker`. */
  async save(files: readonly DistFile[], options: SaveOptions = {}): Promise<DistFile[]> {
    const {seen} = options
    const byName = new Map(files.map(file => [file.filename, file]))
    const changes = Array.from(byName.values(), (file): Change => ({
      filename: file.filename,
      project: file.name,
      file,
      allowed: row => {
        const before = seen?.get(file.filename)
        if (!seen) return true
        return row && before ? sameRow(row, before) : row === before
      },
    }))
    if (changes.length === 0) return []
    await this.#state.willHaveFiles()
    const {made} = await this.#make(changes, options)
    return [...byName.values()].filter(({filename}) => made.has(filename))
  }

  async remove(
    files: readonly DistFile[],
    options: WriteOptions & {readonly ifUnchanged?: boolean} = {},
  ): Promise<{removed: DistFile[]; emptied: string[]}> {
    const byName = new Map(files.map(file => [file.filename, file]))
    const changes = Array.from(byName.values(), (file): Change => ({
      filename: file.filename,
      project: file.name,
      file: undefined,
      allowed: row => row !== undefined && (!options.ifUnchanged || sameRow(row, file)),
    }))
    if (changes.length === 0) return {removed: [], emptied: []}
    const {made, emptied} = await this.#make(changes, options)
    if (emptied.size > 0) await this.#state.noteIfEmpty()
    return {removed: [...byName.keys()].flatMap(name => made.get(name) ?? []), emptied: [...emptied]}
  }

  async search(criteria: SearchCriteria, operator: SearchOperator): Promise<DistFile[]> {
    await this.#identity.read()
    const segments = segmentsFor(this.#identity.fileBytes)
    const names = await searchFilenames(this.client, this.tables, criteria, operator, segments)
    const files = await this.findFiles(names)
    return [...files.values()].sort((a, b) => byCodePoint(a.name, b.name))
  }

  changeToken(project?: string): string | Promise<string> {
    return this.#tokens.token(project)
  }

  acquireLock(name: string, options: LockOptions): Promise<Lock> {
    return this.#locks.acquire(name, options)
  }

  getState(key: string): Promise<string | undefined> {
    return this.#state.get(key)
  }

  setState(key: string, value: string | undefined, options: WriteOptions = {}): Promise<void> {
    return this.#state.set(key, value, ownLock(options.lock))
  }

  async check(): Promise<void> {
    await Promise.all(
      [this.tables.files, this.tables.projects, this.tables.ours].map(TableName =>
        this.client.send(new ScanCommand({TableName, Limit: 1})),
      ),
    )
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.client[Symbol.dispose]()
    this.#host[Symbol.dispose]()
    return Promise.resolve()
  }

  async #make(changes: readonly Change[], {lock}: WriteOptions) {
    try {
      return await this.#changes.make(changes, ownLock(lock))
    } finally {
      // also after a failure: part of it may have been written
      await this.#noteWrite(changes)
    }
  }

  async #noteWrite(changes: readonly Change[]): Promise<void> {
    try {
      await this.client.send(
        new UpdateItemCommand({
          TableName: this.tables.ours,
          Key: {part: {S: ours.allWrites}, name: {S: '-'}},
          UpdateExpression: 'ADD #v :one',
          ExpressionAttributeNames: {'#v': 'version'},
          ExpressionAttributeValues: {':one': {N: '1'}},
        }),
      )
    } finally {
      this.#tokens.noteWrite(new Set(changes.map(({project}) => project)))
    }
  }

  /** Once for all who ask at the same time. */
  #lookInto(project: string, summary: Item): Promise<Map<string, Item>> {
    const running = this.#orphans.get(project)
    if (running) return running
    const looking = findFilesOf(this.client, this.tables, project, summary).finally(() =>
      this.#orphans.delete(project),
    )
    this.#orphans.set(project, looking)
    return looking
  }

  async #scan(
    table: string,
    only: readonly string[] | undefined,
    onPage: (items: Item[], count: number) => void,
    more: {Select?: 'COUNT'} = {},
  ): Promise<void> {
    await this.#identity.read()
    const bytes = table === this.tables.files ? this.#identity.fileBytes : this.#identity.projectBytes
    const input = {TableName: table, ConsistentRead: true, ...projection(only), ...more}
    await scan(this.client, input, segmentsFor(bytes), onPage)
  }
}

const filesOf = (items: Iterable<Item>): DistFile[] =>
  Array.from(items).flatMap(item => fileOfItem(item) ?? [])

/** @throws {LockLost} for a lock of another cache. */
function ownLock(lock: Lock | undefined): DynamoLock | undefined {
  if (lock === undefined || lock instanceof DynamoLock) return lock
  throw new LockLost(`the lock "${lock.name}" is none of this cache`)
}
