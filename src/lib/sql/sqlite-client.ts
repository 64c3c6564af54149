import knex, {type Knex} from 'knex'
import BetterSqlite3Client from 'knex/lib/dialects/better-sqlite3/index.js'
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

/** Knex on one SQLite connection, which waits for locks without blocking. */
export const knexOnSqlite = (options: SqliteKnexOptions): Knex =>
  knex({
    ...settings,
    client: clientOf(options) as unknown as typeof Knex.Client,
    connection: {filename: options.handle.name},
    pool: {min: 1, max: 1},
  })

/**
 * For whoever holds the connection, and has begun a transaction on it. One for all of them: knex takes longer to make its
 * own for each than SQLite for what is done in it.
 */
export function knexWithinTransactions(options: SqliteKnexOptions): Knex {
  class HeldClient extends clientOf(options) {
    override acquireConnection(): Promise<unknown> {
      return Promise.resolve(options.handle)
    }

    override async releaseConnection(): Promise<void> {
      // the transaction does
    }
  }
  return knex({...settings, client: HeldClient as unknown as typeof Knex.Client})
}

const settings = {
  useNullAsDefault: true,
  compileSqlOnError: false, // values may be secrets
}

function clientOf({handle, busySeconds, explain, onQuery}: SqliteKnexOptions) {
  return class Client extends BetterSqlite3Client {
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

    override _query(connection: Handle, query: unknown): Promise<unknown> {
      return retryWhileBusy(busySeconds, () => super._query(connection, query))
    }

    override async acquireConnection(): Promise<unknown> {
      try {
        return (await super.acquireConnection()) as unknown
      } catch (error) {
        if (!(error instanceof Error && error.name === 'KnexTimeoutError')) throw error
        throw new Unavailable('the database is busy: too many wait for it', {cause: error})
      }
    }
  }
}
