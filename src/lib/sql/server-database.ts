import type {Knex} from 'knex'
import {ServerChanges, type ChangeSource} from './server-changes.js'
import {retryWhileBusy} from './busy.js'
import type {Database, Insertion, OneConnection, SqlValue, Watched} from './database.js'
import type {Condition, Dialect} from './dialect.js'
import {isConflict, isStale} from './server-failures.js'

/** What PostgreSQL and MySQL do in their own ways. */
export interface ServerDriver extends Pick<ChangeSource, 'readActivity'> {
  readonly dialect: Dialect
  /** Its queries fail with PpcErrors. */
  readonly knex: Knex
  /** Of transactions, where it is not that of the session. */
  readonly isolationLevel?: Knex.IsolationLevels
  /** A query for one row, a digest of the table's rows as `state`; a condition may follow it. */
  stateOf(table: string, columns: readonly string[]): string
  /** One statement with several rows. */
  insert(connection: unknown, insertion: Insertion, rows: readonly (readonly SqlValue[])[]): Promise<void>
  /** The rows as they come from the server, which must not be far ahead of the reader. */
  read(connection: unknown, sql: string, bindings: readonly unknown[]): AsyncIterable<Record<string, unknown>>
  explain(error: unknown): unknown
}

/** How often a row that somebody else has just made or removed is a reason to run a transaction again. */
const mostStale = 3
/** Of one statement. */
const rowsPerInsert = 500
const charactersPerInsert = 500_000

/** A database on a server, by a pool of connections. */
export class ServerDatabase implements Database {
  readonly shared = true
  readonly dialect: Dialect
  readonly knex: Knex
  readonly #changes: ServerChanges
  #closed: Promise<void> | undefined

  private constructor(
    readonly name: string,
    private readonly driver: ServerDriver,
    private readonly busySeconds: number,
    private readonly watched: Watched,
  ) {
    this.dialect = driver.dialect
    this.knex = driver.knex
    this.#changes = new ServerChanges(
      name,
      {readActivity: () => driver.readActivity(), readState: only => this.#readState(only)},
      watched.everyCommit,
    )
  }

  /** @throws {PpcError} when the server does not answer. */
  static async open(
    name: string,
    driver: ServerDriver,
    {
      busySeconds,
      watched = {tables: {}},
    }: {readonly busySeconds: number; readonly watched: Watched | undefined},
  ): Promise<ServerDatabase> {
    const opened = new ServerDatabase(name, driver, busySeconds, watched)
    try {
      await opened.check()
    } catch (error) {
      await opened[Symbol.asyncDispose]()
      throw error
    }
    return opened
  }

  changeToken(name?: string): string | Promise<string> {
    return this.#changes.token(name)
  }

  /** Of the watched tables, or of their rows of one name. */
  async #readState(name: string | undefined): Promise<string> {
    const states: string[] = []
    for (const {table, sql, bindings} of this.#digests(name)) {
      try {
        const [row] = this.dialect.rowsOf(await this.knex.raw(sql, [...bindings]))
        states.push(String(row?.['state']))
      } catch (error) {
        if (!this.dialect.isMissingTable(error, table)) throw error
        states.push('missing') // in the middle of a rebuild by pypicloud
      }
    }
    return states.join(', ')
  }

  readWatched<Row>(name: string | undefined, query: Knex.QueryBuilder): Promise<Row[]> {
    return this.#changes.read(name, async () => {
      const digests = this.#digests(name)
      const {sql, bindings} = query.toSQL()
      const [state, tables] = [
        stateColumns(digests.length),
        digests.map((each, i) => `(${each.sql}) AS d${i}`),
      ]
      const rows = this.dialect.rowsOf(
        await this.knex.raw(
          // one statement, one snapshot; the digests come also where nothing else does
          `SELECT ${state.map((column, i) => `d${i}.state AS ${column}`).join(', ')}, found.*
            FROM ${tables.join(' CROSS JOIN ')}
            LEFT JOIN (SELECT 1 AS ${isThere}, wanted.* FROM (${sql}) AS wanted) AS found ON TRUE`,
          [...digests.flatMap(each => [...each.bindings]), ...(bindings as Knex.RawBinding[])],
        ),
      )
      return {
        state: state.map(column => String(rows[0]?.[column])).join(', '),
        found: rows.filter(row => row[isThere] !== null) as Row[],
      }
    })
  }

  #digests(name: string | undefined) {
    const {tables, nameColumn} = this.watched
    const [condition, bindings] =
      name !== undefined && nameColumn ? this.dialect.is(nameColumn, name) : ['', []]
    return Object.entries(tables).map(([table, columns]) => ({
      table,
      sql: this.driver.stateOf(table, columns) + (condition && ` WHERE ${condition}`),
      bindings,
    }))
  }

  transaction<T>(work: (transaction: Knex) => PromiseLike<T>): Promise<T> {
    return this.#transaction(work, undefined)
  }

  async #transaction<T>(work: (transaction: Knex) => PromiseLike<T>, connection: unknown): Promise<T> {
    const {isolationLevel} = this.driver
    const options = {
      ...(isolationLevel ? {isolationLevel} : {}),
      ...(connection === undefined ? {} : {connection}),
    }
    let stale = 0
    const mayHelp = (error: unknown) => isConflict(error) || (isStale(error) && (stale += 1) <= mostStale)
    try {
      return await retryWhileBusy(
        this.busySeconds,
        () => this.knex.transaction(async transaction => work(transaction), options),
        mayHelp,
      )
    } catch (error) {
      throw this.driver.explain(error)
    } finally {
      this.#changes.noteWrite() // also after a failure: a commit may have arrived whose answer was lost
    }
  }

  async select<Row>(
    knex: Knex,
    table: string,
    [sql, bindings]: Condition,
    {forUpdate = false} = {},
  ): Promise<Row[]> {
    const query = knex(table).select().whereRaw(sql, bindings)
    return (await (forUpdate ? query.forUpdate() : query)) as Row[]
  }

  insertMany(knex: Knex, insertion: Insertion, rows: Iterable<readonly SqlValue[]>): Promise<void> {
    return this.#withConnection(knex, connection => this.#insertMany(connection, insertion, rows))
  }

  async #insertMany(
    connection: unknown,
    insertion: Insertion,
    rows: Iterable<readonly SqlValue[]>,
  ): Promise<void> {
    try {
      for (const batch of batches(rows)) await this.driver.insert(connection, insertion, batch)
    } catch (error) {
      throw this.driver.explain(error)
    }
  }

  withConnection<T>(work: (connection: OneConnection) => Promise<T>): Promise<T> {
    return this.#withConnection(this.knex, connection =>
      work({
        run: async sql => this.dialect.rowsOf(await this.knex.raw(sql).connection(connection)),
        insertMany: (insertion, rows) => this.#insertMany(connection, insertion, rows),
        transaction: within => this.#transaction(within, connection),
      }),
    )
  }

  /** The one of a transaction, or one from the pool. */
  async #withConnection<T>(knex: Knex, work: (connection: unknown) => Promise<T>): Promise<T> {
    const client = knex.client as Knex.Client
    const connection: unknown = await client.acquireConnection()
    try {
      return await work(connection)
    } finally {
      await client.releaseConnection(connection)
    }
  }

  async *iterate<Row>(query: Knex.QueryBuilder): AsyncGenerator<Row> {
    const {sql, bindings} = query.toSQL().toNative()
    const client = this.knex.client as Knex.Client
    const connection: unknown = await client.acquireConnection()
    try {
      for await (const row of this.driver.read(connection, sql, bindings)) yield row as Row
    } catch (error) {
      throw this.driver.explain(error)
    } finally {
      await client.releaseConnection(connection)
    }
  }

  async check(): Promise<void> {
    await this.knex.raw('SELECT 1')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.knex.destroy().finally(() => this.#changes[Symbol.dispose]())
    await this.#closed
  }
}

/** Beside the columns of whatever is read. */
const isThere = 'ppc_is_there'
const stateColumns = (count: number): string[] => Array.from({length: count}, (_, i) => `ppc_state_${i}`)

function* batches(rows: Iterable<readonly SqlValue[]>): Generator<(readonly SqlValue[])[]> {
  let batch: (readonly SqlValue[])[] = []
  let characters = 0
  for (const row of rows) {
    batch.push(row)
    for (const value of row) characters += typeof value === 'string' ? value.length : 8
    if (batch.length < rowsPerInsert && characters < charactersPerInsert) continue
    yield batch
    batch = []
    characters = 0
  }
  if (batch.length > 0) yield batch
}
