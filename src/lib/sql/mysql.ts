import type {Socket} from 'node:net'
import {promisify} from 'node:util'
import knex, {type Knex} from 'knex'
import Mysql2Client from 'knex/lib/dialects/mysql2/index.js'
import type {Connection} from 'mysql2'
import type {Database, DatabaseOptions, Insertion, SqlValue} from './database.js'
import type {DatabaseOrigin} from './failures.js'
import {mysqlDialect} from './mysql-dialect.js'
import {mysqlOptions} from './mysql-options.js'
import {explainingClient, isStillThere, silent, untilAnswered} from './server-client.js'
import {ServerDatabase, type ServerDriver} from './server-database.js'
import {explainServer} from './server-failures.js'
import {defaultPool, knexPool} from './server-pool.js'
import type {ServerUrl} from './url.js'

/** How long after a commit was logged it may be before others see it. */
const settlingMs = 1500

/**
 * For all sessions of ours: "group" and `||` as elsewhere; without NO_BACKSLASH_ESCAPES, for which the driver does not
 * escape; a reader may be slow.
 */
const session = `SET time_zone = '+00:00', NAMES utf8mb4,
  SESSION sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT,STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION',
  SESSION net_write_timeout = 3600`

/** As `openDatabase`, for MySQL and MariaDB. */
export async function openMysql(
  url: ServerUrl,
  where: DatabaseOrigin,
  options: DatabaseOptions,
): Promise<Database> {
  const connection = mysqlOptions(url, `${where.file}: ${where.key}`)
  const {host, port, user, database, socketPath} = connection
  const address = socketPath ?? `${host}:${port}`
  const place = {title: 'MySQL', address, username: user ?? '', database: database ?? ''} as const
  const explain = (error: unknown) => explainServer(error, place, where)
  const busySeconds = options.busySeconds ?? 10
  const prepare = async (client: unknown) => {
    const wait = Math.max(1, Math.ceil(busySeconds))
    await run(
      client,
      `${session}, SESSION innodb_lock_wait_timeout = ${wait}, SESSION lock_wait_timeout = ${wait}`,
    )
    await run(client, 'SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ')
    return (await listIds(client, 'id = CONNECTION_ID()'))[0] ?? ''
  }
  const connected = knex({
    client: explainingClient(Mysql2Client, {
      explain,
      prepare,
      socketOf: client => (client as {stream: Socket}).stream,
      listBusy: client => listIds(client, `command <> 'Sleep'`),
    }),
    connection: connection as unknown as Knex.MySql2ConnectionConfig,
    pool: knexPool(options.pool ?? defaultPool, client =>
      isStillThere(client, () => run(client, 'SELECT 1')),
    ),
    compileSqlOnError: false, // values may be secrets
    log: silent,
  })
  const driver = new MysqlDriver(connected, explain)
  return ServerDatabase.open(`mysql://${address}/${place.database}`, driver, {
    busySeconds,
    watched: options.watched,
  })
}

/** Of connections as the server counts them: a proxy between us may have given us another number. */
const listIds = async (client: unknown, condition: string): Promise<string[]> => {
  const rows = await run(client, `SELECT id AS id FROM information_schema.processlist WHERE ${condition}`)
  return (rows as {id: number}[]).map(({id}) => String(id))
}

class MysqlDriver implements ServerDriver {
  readonly dialect = mysqlDialect
  #log = {position: '', changedAt: -Infinity}
  #reads = 0

  constructor(
    readonly knex: Knex,
    readonly explain: (error: unknown) => unknown,
  ) {}

  /**
   * The end of InnoDB's log, which every commit moves shortly before others see it; so for a moment after it has moved,
   * each answer is another one. `UPDATE_TIME` of a table has seconds only, and row counters move before the commit.
   */
  async readActivity(): Promise<string> {
    const result: unknown = await this.knex.raw(
      `SHOW GLOBAL STATUS WHERE Variable_name IN ('Innodb_lsn_current', 'Innodb_redo_log_current_lsn')`,
    )
    const position = this.dialect
      .rowsOf(result)
      .map(row => String(row['Value']))
      .join(' ')
    if (position !== this.#log.position) this.#log = {position, changedAt: performance.now()}
    const settled = position !== '' && performance.now() - this.#log.changedAt > settlingMs
    return `${position} ${settled ? '' : (this.#reads += 1)}`
  }

  /** By contents: InnoDB does not show which transaction wrote a row. */
  stateOf(table: string, columns: readonly string[]): string {
    const list = columns.map(column => `"${column}"`).join(', ')
    return `SELECT CONCAT_WS(' ', COUNT(*), SUM(CRC32(CONCAT_WS('\\n', ${list})))) AS state FROM ${table}`
  }

  async insert(
    connection: unknown,
    {table, columns, otherwise = ''}: Insertion,
    rows: readonly (readonly SqlValue[])[],
  ): Promise<void> {
    const sql = `INSERT INTO ${table} (${columns.join(', ')}) VALUES ? ${otherwise}`
    await untilAnswered(connection, () => run(connection, sql, [rows]))
  }

  async *read(
    connection: unknown,
    sql: string,
    bindings: readonly unknown[],
  ): AsyncGenerator<Record<string, unknown>> {
    const client = connection as Connection
    let whole = false
    try {
      const rows = client.query(sql, [...bindings]).stream({highWaterMark: 500})
      const next = rows[Symbol.asyncIterator]() as AsyncIterator<Record<string, unknown>, undefined>
      for (;;) {
        const row = await untilAnswered(connection, () => next.next())
        if (row.done) break
        yield row.value
      }
      whole = true
    } finally {
      if (!whole) client.destroy() // what was not read would stand before the next answer
    }
  }
}

const run = (connection: unknown, sql: string, values: unknown[] = []): Promise<unknown> => {
  const client = connection as Connection
  return promisify((done: (error: Error | null, result?: unknown) => void) =>
    client.query(sql, values, (error, result) => {
      done(error, result)
    }),
  )()
}
