import type {Knex} from 'knex'
import {UnknownBackend} from '../errors.js'
import type {DatabaseOrigin} from './failures.js'
import {parseDatabaseUrl} from './url.js'

/** One SQL database, with what its dialects have in common. Failures are PpcErrors that name the config key. */
export interface Database extends AsyncDisposable {
  /** For messages, without credentials: `sqlite:/srv/db.sqlite`. */
  readonly name: string
  /** False for a database in memory: no other process, and no other opener, sees it. */
  readonly shared: boolean
  /** On SQLite one connection: inside `transaction`, use the transaction, or both wait for each other. */
  readonly knex: Knex
  /** A text that differs after any commit by anybody but a rolled-back one. Microseconds: called on every request. */
  changeToken(): string
  /**
   * Runs `work` with the write lock taken from the start, and commits it durably.
   * @throws {Unavailable} when another process holds the lock for too long.
   */
  transaction<T>(work: (transaction: Knex.Transaction) => PromiseLike<T>): Promise<T>
  /**
   * Runs one statement with each of `rows` as its values: many times faster than by knex. Outside a transaction all or
   * nothing, and only on temporary tables: it waits for nobody's lock.
   */
  runMany(knex: Knex, sql: string, rows: Iterable<readonly SqlValue[]>): Promise<void>
  /** The rows of one moment, in bounded memory and without holding up anybody's writes. */
  iterate<Row = Record<string, unknown>>(query: Knex.QueryBuilder): AsyncIterable<Row>
  /** @throws when the database can't be read now; the message fits `/health`. */
  check(): Promise<void>
}

export type SqlValue = string | number | null

export interface DatabaseOptions {
  /** How long to wait for the lock of another process. Default 10. */
  readonly busySeconds?: number
}

/**
 * Opens the database that an SQLAlchemy URL names. An SQLite file is created when it is missing, its directory is not.
 * Each opener has its own connections and must close them; several of one file notice each other's writes at once.
 * @param where For messages: config file and key.
 * @throws {UnknownBackend} for databases of other kinds.
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
  if (parsed.dialect !== 'sqlite') {
    const title = parsed.dialect === 'mysql' ? 'MySQL' : 'PostgreSQL'
    throw new UnknownBackend(`${at}: ${title} is not in this version yet, which has sqlite`)
  }
  const {openSqlite} = await import('./sqlite.js')
  return openSqlite(parsed, where, options.busySeconds ?? 10)
}
