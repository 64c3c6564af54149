import type {Knex} from 'knex'
import {UnknownBackend} from '../errors.js'
import type {Condition, Dialect} from './dialect.js'
import type {DatabaseOrigin} from './failures.js'
import type {PoolOptions} from './server-pool.js'
import {checkUrlOptions} from './url-options.js'
import {parseDatabaseUrl} from './url.js'

/** One SQL database, with what its dialects have in common. Failures are PpcErrors that name the config key. */
export interface Database extends AsyncDisposable {
  /** For messages, without credentials: `sqlite:/srv/db.sqlite`. */
  readonly name: string
  /** False for a database in memory: no other process, and no other opener, sees it. */
  readonly shared: boolean
  readonly dialect: Dialect
  /** On SQLite one connection: inside `transaction`, use the transaction, or both wait for each other. */
  readonly knex: Knex
  /**
   * A text that differs after any commit by anybody but a rolled-back one; on a server, of what is `watched`, and from
   * other hosts within a second; for the rest of a turn of the event loop it may stay what it is. With `name`, only of the rows of that name, where the database can tell. Microseconds:
   * called on every request.
   */
  changeToken(name?: string): string | Promise<string>
  /**
   * The rows of `query`, read for something that is kept under the `changeToken` of `name`, or of everything. Whoever reads
   * them otherwise may keep what is gone for ever: see `ServerChanges.read`.
   */
  readWatched<Row>(name: string | undefined, query: Knex.QueryBuilder): Promise<Row[]>
  /**
   * Runs `work` and commits it durably. On SQLite it has the write lock from the start. On a server `work` runs once more
   * when somebody else got in its way; it has to read by `forUpdate` what it decides by. On PostgreSQL rows are then as
   * they were at the start or refused, on MySQL the latest.
   * @throws {Unavailable} when other processes hold locks for too long.
   */
  transaction<T>(work: (transaction: Knex) => PromiseLike<T>): Promise<T>
  /**
   * The rows of `table` that `condition` finds, on SQLite far faster than by knex.
   * @param knex that of a transaction, or of the database.
   * @param options `forUpdate`: nobody else writes these rows until the transaction ends.
   */
  select<Row>(
    knex: Knex,
    table: string,
    condition: Condition,
    options?: {readonly forUpdate?: boolean},
  ): Promise<Row[]>
  /**
   * Inserts many rows, far faster than by knex. On SQLite and outside a transaction all or nothing, and only into
   * temporary tables: it waits for nobody's lock.
   */
  insertMany(knex: Knex, insertion: Insertion, rows: Iterable<readonly SqlValue[]>): Promise<void>
  /**
   * Keeps one connection for `work`, where temporary tables stay. On SQLite it is the one that everybody uses, which
   * `work` must not mind.
   */
  withConnection<T>(work: (connection: OneConnection) => Promise<T>): Promise<T>
  /** The rows of one moment, in bounded memory and without holding up anybody's writes. */
  iterate<Row = Record<string, unknown>>(query: Knex.QueryBuilder): AsyncIterable<Row>
  /** @throws when the database can't be read now; the message fits `/health`. */
  check(): Promise<void>
}

export interface OneConnection extends Pick<Database, 'transaction'> {
  run(sql: string): Promise<Record<string, unknown>[]>
  /** As `Database.insertMany`. */
  insertMany(insertion: Insertion, rows: Iterable<readonly SqlValue[]>): Promise<void>
}

export type SqlValue = string | number | null

export interface Insertion {
  readonly table: string
  readonly columns: readonly string[]
  /** What follows the values: ON CONFLICT … On a server no two rows of one call may have the same key. */
  readonly otherwise?: string
}

export interface DatabaseOptions {
  /** How long to wait for the lock of another process. Default 10. */
  readonly busySeconds?: number
  /** What `changeToken` is about, on a server. */
  readonly watched?: Watched
  /** Connections to a server. */
  readonly pool?: PoolOptions
}

/** Tables with all their columns, and the column by which rows of one are told apart. */
export interface Watched {
  readonly tables: Readonly<Record<string, readonly string[]>>
  readonly nameColumn?: string
  /**
   * A state that comes back (a row was added and removed within a second) looks as if it had never gone, and what was
   * read in between would be believed for ever. With this any commit on a server counts as a change: for what is small
   * and must never be wrong, and is not read by `readWatched`.
   */
  readonly everyCommit?: boolean
}

/**
 * Opens the database that an SQLAlchemy URL names. An SQLite file is created when it is missing, its directory is not.
 * Each opener has its own connections and must close them; several of one file notice each other's writes at once.
 * @param where For messages: config file and key.
 * @throws {UnknownBackend} for databases of other kinds. @throws {UsageError} for an option that none has.
 */
export async function openDatabase(
  url: string,
  where: DatabaseOrigin,
  options: DatabaseOptions = {},
): Promise<Database> {
  const at = `${where.file}: ${where.key}`
  const parsed = parseDatabaseUrl(url)
  if (!parsed) {
    throw new UnknownBackend(`${at}: found no database URL, expected one like sqlite:////srv/db.sqlite`)
  }
  if (parsed.dialect !== 'sqlite') checkUrlOptions(parsed, at)
  if (parsed.dialect === 'postgresql') {
    return (await import('./postgresql.js')).openPostgresql(parsed, where, options)
  }
  if (parsed.dialect === 'mysql') return (await import('./mysql.js')).openMysql(parsed, where, options)
  const {openSqlite} = await import('./sqlite.js')
  return openSqlite(parsed, where, options.busySeconds ?? 10)
}
