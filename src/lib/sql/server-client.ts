import {setTimeout as sleep} from 'node:timers/promises'
import type {Knex} from 'knex'
import {Unavailable} from '../errors.js'

type ClientClass = new (...args: never[]) => Knex.Client

export interface ConnectionWays {
  /** What a caller gets instead of the driver's error. */
  readonly explain: (error: unknown) => unknown
  /** Sets a new connection up. */
  readonly prepare: (connection: unknown) => Promise<void>
  /** Calls `connect`, perhaps several times. */
  readonly connect?: (client: Knex.Client, connect: () => Promise<unknown>) => Promise<unknown>
}

/** When each connection was last given back: monotonic. */
const givenBackAt = new WeakMap<object, number>()
/** How long a connection is trusted without a word from the server, in milliseconds. */
const trusted = 1000
/** How long the server may take for a word. */
const patience = 3000

/** Says of failures what they mean. */
export function explainingClient<Base extends ClientClass>(
  Base: Base,
  {explain, prepare, connect}: ConnectionWays,
): Base {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- what TypeScript wants of a mixin
  class Client extends (Base as unknown as new (...args: any[]) => Knex.Client) {
    override async acquireRawConnection(): Promise<unknown> {
      const plain = () => super.acquireRawConnection()
      const connection: unknown = await (connect ? connect(this, plain) : plain())
      try {
        await prepare(connection)
      } catch (error) {
        await Promise.resolve(this.destroyRawConnection(connection)).catch(() => undefined)
        throw error
      }
      return connection
    }

    override async query(connection: unknown, query: unknown): Promise<unknown> {
      try {
        return (await super.query(connection, query)) as unknown
      } catch (error) {
        throw explain(error)
      }
    }

    override async acquireConnection(): Promise<unknown> {
      try {
        return (await super.acquireConnection()) as unknown
      } catch (error) {
        const tooLong = error instanceof Error && error.name === 'KnexTimeoutError'
        throw tooLong
          ? new Unavailable('too many wait for a connection to the database', {cause: error})
          : explain(error)
      }
    }

    override async releaseConnection(connection: object): Promise<void> {
      givenBackAt.set(connection, performance.now())
      await (super.releaseConnection(connection) as Promise<void>)
    }
  }
  return Client as unknown as Base
}

/**
 * Whether an idle connection of the pool is still there: servers, proxies and firewalls cut them without a word. `ping`
 * asks the server.
 */
export async function isStillThere(connection: object, ping: () => Promise<unknown>): Promise<boolean> {
  if (performance.now() - (givenBackAt.get(connection) ?? -Infinity) < trusted) return true
  const answer = ping().then(
    () => true,
    () => false,
  )
  return Promise.race([answer, sleep(patience, false, {ref: false})])
}

/** knex would write them to the console. */
export const silent: Knex.Logger = {
  warn: () => undefined,
  error: () => undefined,
  deprecate: () => undefined,
  debug: () => undefined,
}
