import {setTimeout as sleep} from 'node:timers/promises'
import type {Knex} from 'knex'
import type {Config} from '../../config/config.js'
import {sqlCacheFields} from '../../config/schema/cache.js'
import type {DistFile, ProjectSummary} from '../../packaging/dist-file.js'
import {openDatabase, type Database, type DatabaseOptions} from '../../sql/database.js'
import type {DatabaseOrigin} from '../../sql/failures.js'
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
import {fileOfRow, parseTime, rowOfFile, type Row} from './rows.js'
import {createTables, packagesWereDropped, recreateState} from './schema.js'
import {keepNewest, matches} from '../search.js'
import {narrowed} from './search.js'

/** `pypi.db = sql`: pypicloud's table `packages` in the database of `db.url`. */
export const openSqlCache = (config: Config): Promise<Cache> =>
  openSqlCacheAt(config.read(sqlCacheFields).url, {file: config.file, key: 'db.url'})

/** As `openSqlCache`, for a database that is named by its URL. `where` is for messages. */
export async function openSqlCacheAt(
  url: string,
  where: DatabaseOrigin,
  options?: DatabaseOptions,
): Promise<SqlCache> {
  const database = await openDatabase(url, where, options)
  try {
    await createTables(database)
  } catch (error) {
    await database[Symbol.asyncDispose]()
    throw error
  }
  return new SqlCache(database)
}

const rowsPerPage = 1000
// Others may have stored microseconds: a time that is the same to the millisecond stays as they wrote it.
const upsert = `INSERT INTO packages (filename, name, version, last_modified, summary, data) VALUES (?, ?, ?, ?, ?, ?)
  ON CONFLICT (filename) DO UPDATE SET name = excluded.name, version = excluded.version, summary = excluded.summary,
    data = excluded.data, last_modified = CASE WHEN substr(packages.last_modified, 1, 23) = substr(excluded.last_modified, 1, 23)
      THEN packages.last_modified ELSE excluded.last_modified END`

export class SqlCache implements Cache {
  readonly name: string
  readonly shared: boolean

  constructor(private readonly database: Database) {
    this.name = database.name
    this.shared = database.shared
  }

  async findFile(filename: string): Promise<DistFile | undefined> {
    return (await this.findFiles([filename])).get(filename)
  }

  findFiles(filenames: readonly string[]): Promise<Map<string, DistFile>> {
    return this.#withTable(() => readFiles(this.database.knex, filenames))
  }

  async listFiles(project: string): Promise<DistFile[]> {
    const rows = await this.#read(packages => packages.where('name', project))
    return rows.map(fileOfRow)
  }

  async listProjects(): Promise<string[]> {
    const rows = await this.#read(packages => packages.distinct('name').orderBy('name'))
    return rows.map(({name}) => name)
  }

  async listSummaries(): Promise<ProjectSummary[]> {
    const rows = await this.#withTable(() => {
      const {knex} = this.database
      const ranked = knex('packages')
        .select('name', 'summary', 'last_modified')
        .rowNumber('rank', over => {
          void over.partitionBy('name').orderBy([
            {column: 'last_modified', order: 'desc'},
            {column: 'filename', order: 'desc'},
          ])
        })
      return knex<Row>(ranked.as('ranked')).where('rank', 1).orderBy('name')
    })
    return rows.map(row => ({
      name: row.name,
      summary: row.summary === '' ? null : row.summary,
      lastModified: parseTime(row.last_modified),
    }))
  }

  async *listAllFiles(): AsyncGenerator<DistFile> {
    let after: string | undefined
    for (;;) {
      const rows = await this.#read(packages => {
        const page = packages.orderBy('filename').limit(rowsPerPage)
        return after === undefined ? page : page.where('filename', '>', after)
      })
      yield* rows.map(fileOfRow)
      after = rows.at(-1)?.filename
      if (rows.length < rowsPerPage || after === undefined) return
    }
  }

  async countFiles(): Promise<number> {
    const rows = await this.#read(packages => packages.count({count: '*'}))
    return (rows[0] as {count?: number} | undefined)?.count ?? 0
  }

  save(files: readonly DistFile[], options: SaveOptions = {}): Promise<DistFile[]> {
    return this.#write(options.lock, async transaction => {
      const written = options.seen ? await unchanged(transaction, files, options.seen) : [...files]
      await this.database.runMany(transaction, upsert, valuesOf(written))
      if (written.length > 0) await noteFiles(transaction, true)
      return written
    })
  }

  remove(
    files: readonly DistFile[],
    options: WriteOptions & {readonly ifUnchanged?: boolean} = {},
  ): Promise<{removed: DistFile[]; emptied: string[]}> {
    return this.#write(options.lock, async transaction => {
      const present = await readFiles(
        transaction,
        files.map(({filename}) => filename),
      )
      const removed: DistFile[] = []
      for (const file of files) {
        const row = present.get(file.filename)
        if (!row || (options.ifUnchanged && !sameRow(row, file))) continue
        present.delete(file.filename) // named twice is removed once
        removed.push(row)
      }
      await this.database.runMany(
        transaction,
        'DELETE FROM packages WHERE filename = ?',
        removed.map(({filename}) => [filename]),
      )
      const emptied: string[] = []
      for (const name of new Set(removed.map(file => file.name))) {
        if (!(await transaction('packages').where({name}).first('name'))) emptied.push(name)
      }
      if (emptied.length > 0 && !(await hasFiles(transaction))) await noteFiles(transaction, false)
      return {removed, emptied}
    })
  }

  async search(criteria: SearchCriteria, operator: SearchOperator): Promise<DistFile[]> {
    const found = await this.#withTable(async () => {
      const newest = new Map<string, Pick<Row, 'filename' | 'name' | 'version' | 'summary'>>()
      const columns = this.database.knex('packages').select('filename', 'name', 'version', 'summary')
      for await (const row of this.database.iterate<Row>(narrowed(columns, criteria, operator))) {
        if (matches(row, criteria, operator)) keepNewest(newest, row)
      }
      return newest
    })
    const files = await this.findFiles(Array.from(found.values(), ({filename}) => filename))
    return [...files.values()].sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  changeToken(): string {
    return this.database.changeToken()
  }

  acquireLock(name: string, options: LockOptions): Promise<Lock> {
    return acquireSqlLock(this.database, name, options)
  }

  /** Nothing once `packages` was dropped, or emptied by others than us: what we knew was about other rows. */
  getState(key: string): Promise<string | undefined> {
    return this.#withTable(async () => {
      const {knex} = this.database
      if (await packagesWereDropped(knex)) return undefined
      const row = await knex<StateRow>('ppc_toolkit_state').where({key}).first()
      return row?.had_files && !(await hasFiles(knex)) ? undefined : row?.value
    })
  }

  async setState(key: string, value: string | undefined, options: WriteOptions = {}): Promise<void> {
    await this.#write(options.lock, async transaction => {
      if (await packagesWereDropped(transaction)) await recreateState(transaction)
      await transaction('ppc_toolkit_state').where({key}).delete()
      if (value === undefined) return
      await transaction('ppc_toolkit_state').insert({
        key,
        value,
        had_files: Number(await hasFiles(transaction)),
      })
    })
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

  #write<T>(lock: Lock | undefined, work: (transaction: Knex.Transaction) => Promise<T>): Promise<T> {
    return this.#withTable(() =>
      this.database.transaction(async transaction => {
        if (lock) await renewLock(transaction, lock)
        return work(transaction)
      }),
    )
  }

  /** pypicloud's rebuild drops the table and creates it at once; where it died in between, the table is created here. */
  async #withTable<T>(work: () => Promise<T>): Promise<T> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await work()
      } catch (error) {
        if (attempt > 3 || !/no such table: packages$/.test(String(error))) throw error
      }
      if (attempt < 3) await sleep(50)
      else await createTables(this.database)
    }
  }
}

interface StateRow {
  readonly key: string
  readonly value: string
  readonly had_files: number
}

/** One value holds all names: a statement with a thousand placeholders takes knex longer than SQLite. */
async function readFiles(knex: Knex, filenames: readonly string[]): Promise<Map<string, DistFile>> {
  if (filenames.length === 0) return new Map()
  const rows = await knex<Row>('packages').whereRaw('filename IN (SELECT value FROM json_each(?))', [
    JSON.stringify(filenames),
  ])
  return new Map(rows.map(row => [row.filename, fileOfRow(row)]))
}

async function unchanged(
  transaction: Knex.Transaction,
  files: readonly DistFile[],
  seen: ReadonlyMap<string, DistFile>,
): Promise<DistFile[]> {
  const present = await readFiles(
    transaction,
    files.map(({filename}) => filename),
  )
  return files.filter(({filename}) => {
    const row = present.get(filename)
    const before = seen.get(filename)
    return row && before ? sameRow(row, before) : row === before
  })
}

function* valuesOf(files: readonly DistFile[]) {
  for (const file of files) {
    const row = rowOfFile(file)
    yield [row.filename, row.name, row.version, row.last_modified, row.summary, row.data]
  }
}

const hasFiles = async (knex: Knex): Promise<boolean> =>
  (await knex('packages').first('filename')) !== undefined

/** So that an empty table that we emptied is told from one that others did. */
const noteFiles = async (transaction: Knex.Transaction, present: boolean): Promise<void> => {
  await transaction('ppc_toolkit_state')
    .where('had_files', Number(!present))
    .update({had_files: Number(present)})
}
