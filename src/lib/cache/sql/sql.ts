import {setTimeout as sleep} from 'node:timers/promises'
import type {Knex} from 'knex'
import {byCodePoint} from '../../by-code-point.js'
import type {Config} from '../../config/config.js'
import {sqlCacheFields} from '../../config/schema/cache.js'
import type {DistFile, ProjectSummary} from '../../packaging/dist-file.js'
import {openDatabase, type Database, type DatabaseOptions, type Watched} from '../../sql/database.js'
import type {DatabaseOrigin} from '../../sql/failures.js'
import {poolOptions} from '../../sql/server-pool.js'
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
import {acquireSqlLock, renewLock} from './lock.js'
import {GroupCommit} from './group-commit.js'
import {RowMemory, worthKeeping} from './row-memory.js'
import {RowParts} from './row-parts.js'
import {fileOfRow, parseTime, type Row} from './rows.js'
import {createTables} from './schema.js'
import {keepNewest, matches} from '../search.js'
import {narrowed} from './search.js'
import {hasFiles, SqlState} from './state.js'
import {deleteFiles, keepUnchanged, readFiles, writeFiles} from './writes.js'

/** `pypi.db = sql`: pypicloud's table `packages` in the database of `db.url`. */
export async function openSqlCache(config: Config): Promise<Cache> {
  const fields = config.read(sqlCacheFields)
  return openSqlCacheAt(fields.url, {file: config.file, key: 'db.url'}, {pool: poolOptions(fields)})
}

const watched: Watched = {
  tables: {packages: ['filename', 'name', 'version', 'last_modified', 'summary', 'data']},
  nameColumn: 'name',
}

/** As `openSqlCache`, for a database that is named by its URL. `where` is for messages. */
export async function openSqlCacheAt(
  url: string,
  where: DatabaseOrigin,
  options: Omit<DatabaseOptions, 'watched'> = {},
): Promise<SqlCache> {
  const database = await openDatabase(url, where, {...options, watched})
  try {
    await createTables(database)
  } catch (error) {
    await database[Symbol.asyncDispose]()
    throw error
  }
  return new SqlCache(database)
}

const rowsPerPage = 1000

export class SqlCache implements Cache {
  readonly name: string
  readonly shared: boolean
  readonly #state: SqlState
  readonly #group: GroupCommit
  readonly #rows = new RowMemory()
  readonly #parts: RowParts

  constructor(private readonly database: Database) {
    this.name = database.name
    this.shared = database.shared
    this.#state = new SqlState(database)
    this.#group = new GroupCommit(database)
    this.#parts = new RowParts(database)
  }

  async findFile(filename: string): Promise<DistFile | undefined> {
    return (await this.findFiles([filename])).get(filename)
  }

  findFiles(filenames: readonly string[]): Promise<Map<string, DistFile>> {
    return this.#withTable(() => readFiles(this.database, this.database.knex, filenames))
  }

  async listFiles(project: string): Promise<readonly DistFile[]> {
    const {knex, dialect} = this.database
    const known = await this.#withTable(() => this.#parts.listFiles(project))
    if (known) return known
    const rows = await this.#withTable(() =>
      this.database.readWatched<Row>(
        project,
        knex('packages')
          .select()
          .whereRaw(...dialect.is('name', project)),
      ),
    )
    if (dialect.name !== 'sqlite') return this.#rows.filesOf(project, rows)
    if (rows.length >= worthKeeping) this.#parts.note(project)
    return rows.map(fileOfRow)
  }

  async listProjects(): Promise<string[]> {
    const {knex, dialect} = this.database
    const name = knex.raw(`${dialect.exact('name')} AS name`)
    const rows = await this.#withTable(() =>
      this.database.readWatched<Pick<Row, 'name'>>(undefined, knex('packages').distinct(name)),
    )
    return rows.map(row => row.name).sort(byCodePoint)
  }

  async listSummaries(): Promise<ProjectSummary[]> {
    const rows = await this.#withTable(() => {
      const {knex, dialect} = this.database
      const [name, filename] = [dialect.exact('name'), dialect.exact('filename')]
      const place = `row_number() OVER (PARTITION BY ${name} ORDER BY last_modified DESC, ${filename} DESC) AS place`
      const ranked = knex('packages').select('name', 'summary', 'last_modified', knex.raw(place))
      return knex<Row>(ranked.as('ranked')).where('place', 1).orderByRaw(name)
    })
    return rows.map(row => ({
      name: row.name,
      summary: row.summary === '' ? null : row.summary,
      lastModified: parseTime(row.last_modified),
    }))
  }

  async *listAllFiles(): AsyncGenerator<DistFile> {
    const {knex, dialect} = this.database
    if (dialect.name === 'sqlite') {
      for await (const page of this.#pages('*')) yield* page.map(fileOfRow)
      return
    }
    // servers may order by other rules than their index does: one query instead of a sort for every page
    const all = knex('packages').select().orderByRaw(dialect.exact('filename'))
    for await (const row of this.database.iterate<Row>(all)) yield fileOfRow(row)
  }

  async *listFilenames(): AsyncGenerator<string> {
    const {knex, dialect} = this.database
    if (dialect.name === 'sqlite') {
      for await (const page of this.#pages('filename')) yield* page.map(({filename}) => filename)
      return
    }
    for await (const {filename} of this.database.iterate<Row>(knex('packages').select('filename')))
      yield filename
  }

  /** By file name. @param columns that one, or all. */
  async *#pages(columns: 'filename' | '*'): AsyncGenerator<Row[]> {
    let after: string | undefined
    for (;;) {
      const rows = await this.#read(packages => {
        const page = packages.select(columns).orderBy('filename').limit(rowsPerPage)
        return after === undefined ? page : page.where('filename', '>', after)
      })
      yield rows
      after = rows.at(-1)?.filename
      if (rows.length < rowsPerPage || after === undefined) return
    }
  }

  async countFiles(): Promise<number> {
    const rows = await this.#read(packages => packages.count({count: '*'}))
    return Number((rows[0] as {count?: number | string} | undefined)?.count ?? 0)
  }

  save(files: readonly DistFile[], options: SaveOptions = {}): Promise<DistFile[]> {
    return this.#write(options.lock, async transaction => {
      const written = options.seen
        ? await keepUnchanged(this.database, transaction, files, options.seen)
        : [...files]
      await writeFiles(this.database, transaction, written)
      if (written.length > 0) await this.#state.noteFiles(transaction, true)
      return written
    })
  }

  remove(
    files: readonly DistFile[],
    options: WriteOptions & {readonly ifUnchanged?: boolean} = {},
  ): Promise<{removed: DistFile[]; emptied: string[]}> {
    const {dialect} = this.database
    return this.#write(options.lock, async transaction => {
      const filenames = files.map(({filename}) => filename)
      const present = await readFiles(this.database, transaction, filenames, {forUpdate: true})
      const removed: DistFile[] = []
      for (const file of files) {
        const row = present.get(file.filename)
        if (!row || (options.ifUnchanged && !sameRow(row, file))) continue
        present.delete(file.filename) // named twice is removed once
        removed.push(row)
      }
      await deleteFiles(transaction, dialect, removed)
      const emptied: string[] = []
      for (const name of new Set(removed.map(file => file.name))) {
        const left: unknown = await transaction('packages')
          .whereRaw(...dialect.is('name', name))
          .forUpdate() // of two who remove the last two files, one has to see that nothing is left
          .first('name')
        if (!left) emptied.push(name)
      }
      if (emptied.length > 0 && !(await hasFiles(transaction))) {
        await this.#state.noteFiles(transaction, false)
      }
      return {removed, emptied}
    })
  }

  async search(criteria: SearchCriteria, operator: SearchOperator): Promise<DistFile[]> {
    const found = await this.#withTable(async () => {
      const newest = new Map<string, Pick<Row, 'filename' | 'name' | 'version' | 'summary'>>()
      const columns = this.database.knex('packages').select('filename', 'name', 'version', 'summary')
      for await (const row of this.database.iterate<Row>(
        narrowed(columns, this.database.dialect, criteria, operator),
      )) {
        if (matches(row, criteria, operator)) keepNewest(newest, row)
      }
      return newest
    })
    const files = await this.findFiles(Array.from(found.values(), ({filename}) => filename))
    return [...files.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  changeToken(project?: string): string | Promise<string> {
    return this.database.changeToken(project)
  }

  acquireLock(name: string, options: LockOptions): Promise<Lock> {
    return acquireSqlLock(this.database, name, options)
  }

  /** Nothing once `packages` was dropped, or emptied by others than us: what we knew was about other rows. */
  getState(key: string): Promise<string | undefined> {
    return this.#withTable(() => this.#state.get(key))
  }

  async setState(key: string, value: string | undefined, options: WriteOptions = {}): Promise<void> {
    await this.#write(options.lock, transaction => this.#state.set(transaction, key, value))
  }

  async check(): Promise<void> {
    await this.#read(packages => packages.limit(1))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.database[Symbol.asyncDispose]()
  }

  #read(query: (packages: Knex.QueryBuilder<Row>) => Knex.QueryBuilder): Promise<Row[]> {
    return this.#withTable(async () => (await query(this.database.knex<Row>('packages'))) as Row[])
  }

  #write<T>(lock: Lock | undefined, work: (transaction: Knex) => Promise<T>): Promise<T> {
    const underLock = async (transaction: Knex) => {
      if (lock) await renewLock(transaction, lock)
      return work(transaction)
    }
    return this.#withTable(() =>
      this.database.dialect.name === 'sqlite'
        ? this.#group.run(underLock)
        : this.database.transaction(underLock),
    )
  }

  /** pypicloud's rebuild drops the table and creates it at once; where it died in between, the table is created here. */
  async #withTable<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await work()
      } catch (error) {
        if (attempt > 3 || !this.database.dialect.isMissingTable(error, 'packages')) throw error
      }
      if (attempt < 3) await sleep(50)
      else await createTables(this.database)
    }
  }
}
