import type {Socket} from 'node:net'
import knex, {type Knex} from 'knex'
import PostgresClient from 'knex/lib/dialects/postgres/index.js'
import pg from 'pg'
import type {Database, DatabaseOptions, Insertion, SqlValue} from './database.js'
import type {DatabaseOrigin} from './failures.js'
import {postgresqlDialect} from './postgresql-dialect.js'
import {postgresqlOptions, type PostgresqlOptions} from './postgresql-options.js'
import {explainingClient, isStillThere, silent, untilAnswered} from './server-client.js'
import {ServerDatabase, type ServerDriver} from './server-database.js'
import {explainServer} from './server-failures.js'
import {defaultPool, knexPool} from './server-pool.js'
import type {ServerUrl} from './url.js'

const rowsPerFetch = 500

/**
 * For all sessions of ours. pypicloud writes times in the session's zone and reads them as UTC; we write and read UTC,
 * which is the same wherever the zone is UTC. An unfinished transaction must not outlive a host that froze.
 */
const session = `SET TIME ZONE 'UTC'; SET datestyle = 'ISO, MDY'; SET standard_conforming_strings = on;
  SET client_encoding = 'UTF8'`

/** As `openDatabase`. */
export async function openPostgresql(
  url: ServerUrl,
  where: DatabaseOrigin,
  options: DatabaseOptions,
): Promise<Database> {
  const at = `${where.file}: ${where.key}`
  const connection = postgresqlOptions(url, at)
  const {host, port, user, database} = connection.client
  const address = host?.startsWith('/') ? host : `${host}:${port}`
  const place = {title: 'PostgreSQL', address, username: user ?? '', database: database ?? ''} as const
  const explain = (error: unknown) => explainServer(error, place, where)
  const busySeconds = options.busySeconds ?? 10
  const prepare = async (client: unknown) => {
    await (client as pg.Client).query(`${session}; SET lock_timeout = ${Math.ceil(busySeconds * 1000)}`)
    return (await listIds(client, 'pid = pg_backend_pid()'))[0] ?? ''
  }
  const Client = explainingClient(PostgresClient, {
    explain,
    prepare,
    connect: tryTls(connection.tls),
    socketOf: client => (client as {connection: {stream: Socket}}).connection.stream,
    listBusy: client => listIds(client, `state NOT LIKE 'idle%'`),
  })
  const connected = knex({
    client: Client,
    connection: {...connection.client, types: asText} as Knex.PgConnectionConfig,
    pool: knexPool(options.pool ?? defaultPool, client =>
      isStillThere(client, () => (client as pg.Client).query('SELECT 1')),
    ),
    compileSqlOnError: false, // values may be secrets
    log: silent,
  })
  const driver = new PostgresqlDriver(connected, explain)
  return ServerDatabase.open(`postgresql://${address}/${place.database}`, driver, {
    busySeconds,
    watched: options.watched,
  })
}

/** Of processes of the server: a proxy between us may have given us another number. */
const listIds = async (client: unknown, condition: string): Promise<string[]> => {
  const sql = `SELECT pid::text AS id FROM pg_stat_activity WHERE ${condition}`
  return (await (client as pg.Client).query<{id: string}>(sql)).rows.map(({id}) => id)
}

/** Times stay text: a Date would be in the process's zone and have no microseconds. */
const timeTypes = new Set<TypeId>([pg.types.builtins.TIMESTAMP, pg.types.builtins.TIMESTAMPTZ])
type TypeId = (typeof pg.types.builtins)[keyof typeof pg.types.builtins]
const asText = {
  getTypeParser: (type: TypeId, format?: 'text' | 'binary') =>
    timeTypes.has(type) ? (text: string) => text : (pg.types.getTypeParser(type, format) as unknown),
}

/** As libpq's sslmode: one after the other until the server agrees. What it agreed to is tried first the next time. */
function tryTls(modes: PostgresqlOptions['tls']) {
  let agreed = modes
  return async (client: Knex.Client, connect: () => Promise<unknown>): Promise<unknown> => {
    for (const [index, ssl] of agreed.entries()) {
      Object.assign(client.connectionSettings, {ssl})
      try {
        const connection = await connect()
        agreed = [ssl, ...modes.filter(mode => mode !== ssl)]
        return connection
      } catch (error) {
        const refused = /does not support SSL|no encryption|SSL off|SSL connection/i.test(String(error))
        if (!refused || index === agreed.length - 1) throw error
      }
    }
    throw new Error('there is no way to connect')
  }
}

class PostgresqlDriver implements ServerDriver {
  readonly dialect = postgresqlDialect
  readonly isolationLevel = 'repeatable read'

  constructor(
    readonly knex: Knex,
    readonly explain: (error: unknown) => unknown,
  ) {}

  /**
   * The snapshot that a query would see now: it differs after any commit that wrote something, in any database of the
   * server, and is taken from memory. Statistics (pg_stat_*) would come seconds late.
   */
  async readActivity(): Promise<string> {
    const {rows} = await this.knex.raw<{rows: {snapshot: string}[]}>(
      'SELECT txid_current_snapshot()::text AS snapshot',
    )
    return rows[0]?.snapshot ?? ''
  }

  /**
   * By `xmin`, the transaction that wrote a row: the sum of its hashes and the number of rows tell every insert, update
   * and delete. The greatest `xmin` would not: a transaction may commit after another that began later.
   */
  stateOf(table: string): string {
    return `SELECT concat_ws(' ', '${table}'::regclass::oid, count(*), sum(hashint8(xmin::text::bigint)::bigint)) AS state
      FROM ${table}`
  }

  async insert(
    connection: unknown,
    {table, columns, otherwise = ''}: Insertion,
    rows: readonly (readonly SqlValue[])[],
  ): Promise<void> {
    const places = rows.map(
      (_, row) => `(${columns.map((_, column) => `$${row * columns.length + column + 1}`).join(', ')})`,
    )
    const text = `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${places.join(', ')} ${otherwise}`
    await untilAnswered(connection, () => (connection as pg.Client).query(text, rows.flat()))
  }

  /** By a cursor, in a transaction of its own. */
  async *read(
    connection: unknown,
    sql: string,
    bindings: readonly unknown[],
  ): AsyncGenerator<Record<string, unknown>> {
    const query = (text: string, values: unknown[] = []) =>
      untilAnswered(connection, () => (connection as pg.Client).query<Record<string, unknown>>(text, values))
    await query('BEGIN READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0')
    try {
      await query(`DECLARE ppc_rows NO SCROLL CURSOR FOR ${sql}`, [...bindings])
      for (;;) {
        const {rows} = await query(`FETCH ${rowsPerFetch} FROM ppc_rows`)
        yield* rows
        if (rows.length < rowsPerFetch) return
      }
    } finally {
      await query('ROLLBACK').catch(() => undefined) // the connection is lost, which the pool notices
    }
  }
}
