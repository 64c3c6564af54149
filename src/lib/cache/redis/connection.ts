import {createHash} from 'node:crypto'
import {Cluster, Redis, type RedisOptions} from 'ioredis'
import {explainRedis, type RedisOrigin} from './failures.js'
import type {RedisTarget} from './url.js'

export interface RedisPlaces {
  readonly target: RedisTarget
  /** Further nodes of a cluster, one of which has to be there. Undefined: no cluster. */
  readonly clusterNodes?: readonly {host: string; port: number}[]
  /** Who knows where the server is. Then `target.host` is the name of the group. */
  readonly sentinels?: readonly {host: string; port: number}[]
  readonly sentinelPassword?: string
}

type Options = Omit<RedisOptions, 'replyMapping'>

/** Name, key and further arguments. */
export type Command = readonly [name: ReadName | 'sadd' | 'srem' | 'del', key: string, ...args: string[]]
type ReadName =
  'exists' | 'hget' | 'hgetall' | 'hmget' | 'scard' | 'sismember' | 'smembers' | 'srandmember' | 'sscan'
type Caller = Record<Command[0], (...args: readonly string[]) => Promise<unknown>>

/** A script, and the digest by which servers that have seen it know it. */
export interface Script {
  readonly text: string
  readonly sha1: string
}
export const script = (text: string): Script => ({text, sha1: createHash('sha1').update(text).digest('hex')})

// How many commands are on their way at once: enough to hide the way, few enough for others to get their turn.
const commandsAtOnce = 1000

/**
 * A connection to one server, or one to each node of a cluster. It comes back by itself. What was asked while it is
 * away fails within seconds, with a sentence; nothing is ever sent twice, because a lost answer does not mean that
 * nothing was done.
 */
export class RedisConnection implements AsyncDisposable {
  /** Counts the connections that were made: what was known of the server may be wrong after another one. */
  epoch = 0
  #lastError: Error | undefined
  #opened = false
  readonly client: Redis | Cluster

  private constructor(
    private readonly places: RedisPlaces,
    readonly where: RedisOrigin,
  ) {
    const {target, clusterNodes} = places
    this.client = clusterNodes
      ? new Cluster([{host: target.host, port: target.port}, ...clusterNodes], {
          lazyConnect: true,
          clusterRetryStrategy: pause,
          retryDelayOnFailover: 200,
          maxRedirections: 8,
          slotsRefreshTimeout: 3000,
          dnsLookup: (address, callback) => callback(null, address), // names are what TLS certificates are for
          redisOptions: optionsOf(places),
        })
      : new Redis({
          ...optionsOf(places),
          // null ends it for good: right for the first attempt alone
          sentinelRetryStrategy: attempt => (this.#opened ? pause(attempt) : null),
        })
    this.client.on('error', (error: Error) => (this.#lastError = error))
    this.client.on('ready', () => (this.epoch += 1))
  }

  /** @throws {PpcError} when the server can't be reached or refuses us. */
  static async open(places: RedisPlaces, where: RedisOrigin): Promise<RedisConnection> {
    const connection = new RedisConnection(places, where)
    try {
      await connection.client.connect()
      // asked for once more, because a number that the server doesn't have goes unnoticed while connecting
      const {client} = connection
      await (client instanceof Cluster ? client.ping() : client.select(places.target.db))
      connection.#opened = true
    } catch (error) {
      connection.client.disconnect()
      throw connection.explain(error)
    }
    return connection
  }

  get isCluster(): boolean {
    return this.client instanceof Cluster
  }

  /** Another connection of the same kind, which is not open yet. Only for a single server. */
  another(options: Options): Redis {
    return new Redis({...optionsOf(this.places), ...options})
  }

  /** The servers that hold the keys. */
  nodes(): readonly Redis[] {
    return this.client instanceof Cluster ? this.client.nodes('master') : [this.client]
  }

  /** @throws {PpcError} in place of what the client throws. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw this.explain(error)
    }
  }

  explain(error: unknown): unknown {
    return explainRedis(error, this.where, this.#lastError)
  }

  /** The answer of each command, in order. They are not one step. @throws for the first that failed. */
  async send<T>(commands: readonly Command[]): Promise<T[]> {
    const answers = await this.trySend<T>(commands)
    for (const answer of answers) if (answer instanceof Error) throw this.explain(answer)
    return answers as T[]
  }

  /** As `send`, for commands that may fail each by itself because of what somebody put there. */
  trySend<T>(commands: readonly Command[]): Promise<(T | Error)[]> {
    return this.run(async () => {
      const answers: (T | Error)[] = []
      for (let start = 0; start < commands.length; start += commandsAtOnce) {
        answers.push(...(await this.#sendSome<T>(commands.slice(start, start + commandsAtOnce))))
      }
      return answers
    })
  }

  async #sendSome<T>(commands: readonly Command[]): Promise<(T | Error)[]> {
    const {client} = this
    if (client instanceof Cluster) {
      // a pipeline goes to one node
      const answers = await Promise.allSettled(
        commands.map(([name, ...args]) => (client as unknown as Caller)[name](...args)),
      )
      return answers.map(
        answer => (answer.status === 'fulfilled' ? answer.value : answer.reason) as T | Error,
      )
    }
    const answers = await client.pipeline(commands.map(command => [...command])).exec()
    const results = (answers ?? []).map(([error, value]) => error ?? value) as (T | Error)[]
    const lost = results.find(result => result instanceof Error && result.name !== 'ReplyError')
    if (lost !== undefined) throw lost as Error
    return results
  }

  /** Runs a script in one step. Its own refusals come back as texts. */
  runScript(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown> {
    const rest = [keys.length, ...keys, ...args] // in a list: there are more texts than a function takes arguments
    return this.run(async () => {
      try {
        return await this.client.call('evalsha', [script.sha1, ...rest])
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error
        return this.client.call('eval', [script.text, ...rest])
      }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.client.disconnect()
    await Promise.resolve()
  }
}

/** Milliseconds until the next attempt to connect. */
const pause = (attempt: number): number => Math.min(50 * attempt, 500)

function optionsOf({target, clusterNodes, sentinels, sentinelPassword}: RedisPlaces): Options {
  const {host, port, path, db, ...rest} = target
  const place = sentinels
    ? {
        sentinels: [...sentinels],
        name: host,
        ...(sentinelPassword !== undefined && {sentinelPassword}),
        commandTimeout: 5000, // while sentinels are asked for the server, no connection breaks
        sentinelRetryStrategy: pause,
      }
    : path === undefined
      ? {host, port}
      : {path}
  return {
    connectTimeout: 5000,
    socketTimeout: 5000,
    ...(clusterNodes
      ? {commandTimeout: 5000} // else it is tried with each new connection to a node that hangs
      : {...place, db, retryStrategy: pause}),
    ...rest,
    lazyConnect: true,
    protocol: 2,
    disableClientInfo: true,
    // With every connection that breaks, all that waits for it fails, rather than be sent again.
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    reconnectOnError: error => error.message.startsWith('READONLY'), // the name may lead to the new primary
  }
}
