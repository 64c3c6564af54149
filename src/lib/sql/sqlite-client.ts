import knex, {type Knex} from 'knex'
import BetterSqlite3Client, {type KnexTransaction} from 'knex/lib/dialects/better-sqlite3/index.js'
import {Unavailable} from '../errors.js'
import {retryWhileBusy} from './busy.js'
import type {Handle} from './sqlite-handle.js'

export interface SqliteKnexOptions {
  /** The one connection. Whoever opened it closes it. */
  readonly handle: Handle
  readonly busySeconds: number
  /** What a caller gets instead of SQLite's error. */
  readonly explain: (error: unknown) => unknown
  /** Called after each query, whatever came of it. */
  readonly onQuery: () => void
}

/** Knex on one SQLite connection that takes the write lock at the start of a transaction and waits without blocking. */
export function knexOnSqlite({handle, busySeconds, explain, onQuery}: SqliteKnexOptions): Knex {
  class Client extends BetterSqlite3Client {
    override acquireRawConnection(): Promise<Handle> {
      return Promise.resolve(handle)
    }

    override async destroyRawConnection(): Promise<void> {
      // kept open for the checkpoint
    }

    override async query(connection: Handle, query: unknown): Promise<unknown> {
      try {
        return (await super.query(connection, query)) as unknown
      } catch (error) {
        throw explain(error)
      } finally {
        onQuery()
      }
    }

    override async _query(connection: Handle, query: {sql?: string}): Promise<unknown> {
      // SQLite has rolled back by itself (disk full): knex's own ROLLBACK would hide why
      if (!connection.inTransaction && /^ROLLBACK\b(?! TO)/.test(query.sql ?? '')) return query
      // whoever waits for the write lock gives the connection back meanwhile, so that reads go on: see SqliteDatabase
      const seconds = query.sql?.startsWith('BEGIN') ? 0 : busySeconds
      return retryWhileBusy(seconds, () => super._query(connection, query))
    }

    override transaction(container: unknown, config: unknown, outer: unknown): KnexTransaction {
      const transaction = super.transaction(container, config, outer)
      // a deferred BEGIN that turns into a write is refused at once when somebody else wrote in between; and by
      // knex's own `query` a failed BEGIN would still run the work
      transaction.begin = connection => transaction.trxClient.query(connection, 'BEGIN IMMEDIATE;')
      return transaction
    }

    override async acquireConnection(): Promise<unknown> {
      try {
        return (await super.acquireConnection()) as unknown
      } catch (error) {
        if (!(error instanceof Error && error.name === 'KnexTimeoutError')) throw error
        throw new Unavailable('the database is busy: too many wait for it', {cause: error})
      }
    }

    override async releaseConnection(connection: Handle): Promise<void> {
      if (connection.inTransaction) connection.exec('ROLLBACK') // its COMMIT failed
      await (super.releaseConnection(connection) as Promise<void>)
    }
  }
  return knex({
    client: Client as unknown as typeof Knex.Client,
    connection: {filename: handle.name},
    useNullAsDefault: true,
    compileSqlOnError: false, // values may be secrets
    pool: {min: 1, max: 1},
  })
}
