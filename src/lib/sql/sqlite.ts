import {resolve} from 'node:path'
import {setImmediate as nextTurn} from 'node:timers/promises'
import type {Knex} from 'knex'
import {Unavailable} from '../errors.js'
import {isBusy, retryWhileBusy} from './busy.js'
import type {Database, Insertion, OneConnection, SqlValue} from './database.js'
import type {Condition} from './dialect.js'
import {explainSqlite, type DatabaseOrigin} from './failures.js'
import {knexOnSqlite, knexWithinTransactions} from './sqlite-client.js'
import {sqliteDialect} from './sqlite-dialect.js'
import {checkpoint, flushLog, hasWriteAheadLog, openHandle, type Handle} from './sqlite-handle.js'
import type {SqliteUrl} from './url.js'

/** Rows that are read in one go before others have their turn. */
const rowsPerTurn = 500
const {nodeTiming} = performance
let openings = 0
/** That this process has made, of any database. */
let queries = 0

/** As `openDatabase`. `timeout` in the URL counts as in Python: seconds to wait for a lock. */
export async function openSqlite(
  url: SqliteUrl,
  where: DatabaseOrigin,
  busySeconds: number,
): Promise<Database> {
  const path = url.path === undefined ? undefined : resolve(url.path)
  const timeout = Number(url.query.get('timeout') ?? Number.NaN)
  const wait = Number.isFinite(timeout) ? timeout : busySeconds
  const explain = (error: unknown) => explainSqlite(error, path ?? ':memory:', where, wait)
  const readonly = url.query.get('mode') === 'ro'
  const open = () => retryWhileBusy(wait, () => openHandle(path, {readonly}))
  const opened: Handle[] = []
  try {
    const handle = await open()
    opened.push(handle)
    const watched = path === undefined ? handle : await open()
    opened.push(watched)
    const watcher = new Watcher(watched)
    await retryWhileBusy(wait, () => watcher.token())
    return new SqliteDatabase(path, handle, watcher, open, wait, explain)
  } catch (error) {
    for (const handle of opened) handle.close()
    throw explain(error)
  }
}

class SqliteDatabase implements Database {
  readonly name: string
  readonly shared: boolean
  readonly dialect = sqliteDialect
  readonly knex: Knex
  /** On the same connection, for whoever holds it. */
  readonly #within: Knex
  /** Its path, when it has a write-ahead log. */
  readonly #logged: string | undefined
  #closed = false

  constructor(
    path: string | undefined,
    private readonly handle: Handle,
    private readonly watcher: Watcher,
    private readonly open: () => Promise<Handle>,
    private readonly busySeconds: number,
    private readonly explain: (error: unknown) => unknown,
  ) {
    this.name = `sqlite:${path ?? ':memory:'}`
    this.shared = path !== undefined
    this.#logged = hasWriteAheadLog(handle) ? path : undefined
    const options = {handle, busySeconds, explain, onQuery: () => (queries += 1)}
    this.knex = knexOnSqlite(options)
    this.#within = knexWithinTransactions(options)
  }

  changeToken(): string {
    try {
      return this.watcher.token()
    } catch (error) {
      throw this.explain(error)
    }
  }

  /** Tokens count commits here: none comes back. */
  async readWatched<Row>(_name: string | undefined, query: Knex.QueryBuilder): Promise<Row[]> {
    return (await query) as Row[]
  }

  /** The rows that `condition` finds, without what knex does around a statement: ten times what SQLite does for one row. */
  async select<Row>(knex: Knex, table: string, condition: Condition): Promise<Row[]> {
    const [sql, values] = plainCondition(condition)
    return this.#onConnection(knex, () =>
      retryWhileBusy(
        this.busySeconds,
        () => this.handle.prepare(`SELECT * FROM ${table} WHERE ${sql}`).all(...values) as Row[],
      ),
    )
  }

  /** The one connection is free for reads while this waits for another process's lock. */
  async transaction<T>(work: (transaction: Knex) => PromiseLike<T>): Promise<T> {
    let begun = false
    const attempt = () =>
      this.#onConnection(this.knex, async handle => {
        try {
          // a deferred one that turns into a write is refused at once when somebody else wrote in between
          handle.prepare('BEGIN IMMEDIATE').run()
          begun = true
          const result = await work(this.#within)
          await retryWhileBusy(this.busySeconds, () => handle.prepare('COMMIT').run())
          return result
        } finally {
          if (handle.inTransaction) handle.prepare('ROLLBACK').run()
          queries += 1
        }
      })
    const mayHelp = (error: unknown) => !begun && error instanceof Unavailable && isBusy(error.cause)
    const result = await retryWhileBusy(this.busySeconds, attempt, mayHelp)
    if (this.#logged !== undefined) await flushLog(this.#logged)
    return result
  }

  /** Runs one statement with each of `rows` as its values. */
  async insertMany(knex: Knex, insertion: Insertion, rows: Iterable<readonly SqlValue[]>): Promise<void> {
    const {table, columns, otherwise = ''} = insertion
    const places = columns.map(() => '?').join(', ')
    const sql = `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${places}) ${otherwise}`
    await this.#onConnection(knex, handle => {
      const runAll = () => {
        const statement = handle.prepare(sql)
        for (const row of rows) statement.run(...row)
      }
      if (handle.inTransaction) runAll()
      else handle.transaction(runAll)()
    })
  }

  async withConnection<T>(work: (connection: OneConnection) => Promise<T>): Promise<T> {
    const {knex} = this
    return work({
      run: sql => knex.raw<Record<string, unknown>[]>(sql),
      insertMany: (insertion, rows) => this.insertMany(knex, insertion, rows),
      transaction: within => this.transaction(within),
    })
  }

  /** Waits until nobody else uses the connection, unless `knex` is that of the transaction which does. */
  async #onConnection<T>(knex: Knex, work: (handle: Handle) => T | Promise<T>): Promise<T> {
    const client = knex.client as Knex.Client
    const handle = (await client.acquireConnection()) as Handle
    try {
      return await work(handle)
    } catch (error) {
      throw this.explain(error)
    } finally {
      await client.releaseConnection(handle)
    }
  }

  async *iterate<Row>(query: Knex.QueryBuilder): AsyncGenerator<Row> {
    if (!this.shared) {
      yield* (await query) as Row[]
      return
    }
    const {sql, bindings} = query.toSQL().toNative()
    const values = bindings.map(plainValue)
    try {
      const reader = await this.open()
      try {
        let statement = sql
        if (!hasWriteAheadLog(reader)) {
          // in rollback mode a reader keeps every writer waiting: copy to a temporary file first, then let go
          await retryWhileBusy(this.busySeconds, () =>
            reader.prepare(`CREATE TEMP TABLE snapshot AS ${sql}`).run(...values),
          )
          statement = 'SELECT * FROM temp.snapshot ORDER BY rowid'
          values.length = 0
        }
        let count = 0
        for (const row of reader.prepare(statement).iterate(...values)) {
          yield row as Row
          if (++count % rowsPerTurn === 0) await nextTurn()
        }
      } finally {
        reader.close()
      }
    } catch (error) {
      throw this.explain(error)
    }
  }

  async check(): Promise<void> {
    await this.knex.raw('SELECT count(*) FROM sqlite_master')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.watcher.close()
    await this.knex.destroy() // ends when running queries have
    try {
      checkpoint(this.handle)
    } catch (error) {
      if (!isBusy(error)) throw this.explain(error)
    } finally {
      this.handle.close()
    }
  }
}

/**
 * Notices commits of all other connections, of this process, others and pypicloud, by a connection that never writes:
 * SQLite's `data_version` counts what others have done (https://www.sqlite.org/pragma.html#pragma_data_version).
 */
class Watcher {
  // a closed and reopened database must not repeat its tokens
  readonly #opening = (openings += 1)
  readonly #read: () => unknown
  #token = ''
  #version: unknown
  /** When it was read: in which turn of the event loop, and after how many queries. */
  #turn = -1
  #queries = -1

  constructor(private readonly handle: Handle) {
    // in memory there is only the one connection: its own changes count
    const statement = handle.prepare(
      handle.memory ? 'SELECT total_changes() AS version' : 'PRAGMA data_version',
    )
    const column = statement.pluck()
    this.#read = () => column.get()
  }

  token(): string {
    // The requests of a turn had all come before the first of them was looked at: what others commit after that, none of
    // them can know of. What this process commits shows at once.
    const turn = nodeTiming.uvMetricsInfo.loopCount
    if (turn === this.#turn && queries === this.#queries) return this.#token
    try {
      const version = this.#read()
      this.#turn = turn
      this.#queries = queries
      if (version !== this.#version) {
        this.#version = version
        this.#token = `${this.#opening}.${String(version)}`
      }
    } catch (error) {
      // somebody is in the middle of a commit, which counts as soon as it is done
      if (!isBusy(error) || this.#token === '') throw error
    }
    return this.#token
  }

  close(): void {
    if (!this.handle.memory) this.handle.close()
  }
}

/** A condition in SQLite's words, with its columns written into it. */
function plainCondition([sql, bindings]: Condition): [sql: string, values: readonly unknown[]] {
  const [columns, values]: [unknown[], unknown[]] = [[], []]
  const marks = sql.match(/\?\??/g) ?? []
  for (const [index, mark] of marks.entries()) (mark === '??' ? columns : values).push(bindings[index])
  return [sql.replaceAll('??', () => `"${String(columns.shift())}"`), values]
}

const plainValue = (value: unknown): unknown => {
  if (typeof value === 'boolean') return Number(value)
  return value instanceof Date ? value.valueOf() : value
}
