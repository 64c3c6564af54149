import type {Socket} from 'node:net'
import {setTimeout as sleep} from 'node:timers/promises'
import type {Knex} from 'knex'
import {SilenceWatch, type Line} from './server-silence.js'

type ClientClass = new (...args: never[]) => Knex.Client

export interface ConnectionWays {
  /** What a caller gets instead of the driver's error. */
  readonly explain: (error: unknown) => unknown
  /** Sets a new connection up. @returns how the server calls it. */
  readonly prepare: (connection: unknown) => Promise<string>
  readonly socketOf: (connection: unknown) => Socket
  /** How the server calls the connections of this user on which it is at work now. */
  readonly listBusy: (connection: unknown) => Promise<readonly string[]>
  /** Calls `connect`, perhaps several times. */
  readonly connect?: (client: Knex.Client, connect: () => Promise<unknown>) => Promise<unknown>
}

/** Of each connection. */
const lines = new WeakMap<object, Line & {readonly watch: SilenceWatch}>()

/**
 * For what is sent past knex: waits for the answer to `work` on a connection of the pool, as long as there may be one.
 * @throws the error of the driver when the server is frozen or out of reach.
 */
export function untilAnswered<T>(connection: unknown, work: () => Promise<T>): Promise<T> {
  const line = lines.get(connection as object)
  return line ? line.watch.during(line, work) : work()
}

/** When each connection was made or last given back: monotonic. */
const idleSince = new WeakMap<object, number>()
/** How long a connection is trusted without a word from the server, in milliseconds. */
const trusted = 1000
/** How long the server may take for a word. */
const patience = 3000
/** How long it may take to notice that we leave. */
const goodByeMs = 1000

/** Says of failures what they mean. */
export function explainingClient<Base extends ClientClass>(
  Base: Base,
  {explain, prepare, connect, socketOf, listBusy}: ConnectionWays,
): Base {
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- what TypeScript wants of a mixin
  class Client extends (Base as unknown as new (...args: any[]) => Knex.Client) {
    readonly #watch = new SilenceWatch(async () => {
      const connection = await this.acquireRawConnection()
      try {
        return await listBusy(connection)
      } finally {
        void this.destroyRawConnection(connection)
      }
    })

    override async acquireRawConnection(): Promise<unknown> {
      const plain = () => super.acquireRawConnection()
      const connection: unknown = await (connect ? connect(this, plain) : plain())
      try {
        const id = await prepare(connection)
        lines.set(connection as object, {id, socket: socketOf(connection), watch: this.#watch})
        idleSince.set(connection as object, performance.now())
      } catch (error) {
        void this.destroyRawConnection(connection)
        throw error
      }
      return connection
    }

    /** Says good-bye, which a server that is frozen does not hear. */
    override async destroyRawConnection(connection: unknown): Promise<void> {
      const ended = super.destroyRawConnection(connection).catch(() => undefined)
      await Promise.race([ended, sleep(goodByeMs, undefined, {ref: false})])
      socketOf(connection).destroy()
    }

    override async query(connection: unknown, query: unknown): Promise<unknown> {
      try {
        return await untilAnswered(connection, () => super.query(connection, query) as Promise<unknown>)
      } catch (error) {
        throw explain(error)
      }
    }

    override async acquireConnection(): Promise<unknown> {
      try {
        return (await super.acquireConnection()) as unknown
      } catch (error) {
        throw explain(error)
      }
    }

    override async releaseConnection(connection: object): Promise<void> {
      idleSince.set(connection, performance.now())
      await (super.releaseConnection(connection) as Promise<void>)
    }
  }
  return Client as unknown as Base
}

/**
 * Whether an idle connection of the pool is still there: servers, proxies and firewalls cut them without a word. `ping`
 * asks the server. Where one gets no answer, the others that were idle then are not asked each in its turn.
 */
export async function isStillThere(connection: object, ping: () => Promise<unknown>): Promise<boolean> {
  const since = idleSince.get(connection) ?? -Infinity
  const watch = lines.get(connection)?.watch
  if (watch && since < watch.silentAt) return false
  if (performance.now() - since < trusted) return true
  const answer = ping().then(
    () => true,
    () => false,
  )
  const answered = await Promise.race([answer, sleep(patience, undefined, {ref: false})])
  if (answered === undefined && watch) watch.silentAt = performance.now()
  return answered ?? false
}

/** knex would write them to the console. */
export const silent: Knex.Logger = {
  warn: () => undefined,
  error: () => undefined,
  deprecate: () => undefined,
  debug: () => undefined,
}
