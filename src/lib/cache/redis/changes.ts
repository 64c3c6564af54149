import type {Redis} from 'ioredis'
import type {RedisConnection} from './connection.js'

/** Where Redis says which keys have changed, to connections that speak its older protocol. */
const invalidations = '__redis__:invalidate'
/** Milliseconds for which a sign of life counts. */
const trustedFor = 1000
/** Milliseconds between signs of life, while anybody asks. */
const pause = 300

/**
 * Tells whether anything below `pypicloud:` may have changed, by whomever, without asking for it: a connection of its
 * own has the server report every key that is written, dropped, evicted or flushed (CLIENT TRACKING). Reports that
 * don't come because the connection is dead are missed for a second at most: then nothing is believed without a sign of
 * life. Where the server can't do that, it is asked for its counters each time.
 */
export class RedisChanges implements AsyncDisposable {
  readonly #watcher: Redis | undefined
  /** Reports that came, and connections: what happened between two of them is unknown. */
  #changes = 0
  #watched = false
  #trustedUntil = 0
  #asked = false
  #timer: NodeJS.Timeout | undefined
  readonly #hearWatcher = shared(() => this.#hear())
  readonly #readCounters = shared(() => this.#counters())

  constructor(private readonly connection: RedisConnection) {
    if (connection.isCluster) return // each node would have to be watched, through every change of the cluster
    const watcher = connection.another({autoResubscribe: false, socketTimeout: 2000})
    watcher.on('error', () => undefined) // the other connection has the same, and says so
    watcher.on('ready', () => void this.#watch(watcher))
    watcher.on('close', () => this.#stop())
    watcher.on('messageBuffer', () => (this.#changes += 1))
    this.#watcher = watcher
  }

  /** Waits for the first connection. That it fails is no failure: then the server is asked. */
  async start(): Promise<void> {
    const {promise, resolve} = deferred()
    this.#started = resolve
    await this.#watcher?.connect().then(
      () => promise,
      () => undefined,
    )
  }
  #started = (): void => undefined

  /** As `Cache.changeToken`. No promise while the watcher is heard. */
  token(): string | Promise<string> {
    this.#asked = true
    return performance.now() < this.#trustedUntil ? this.#token() : this.#ask()
  }

  /** After a write: when it resolves, everybody on this host has been told of it, and so have we. */
  async settle(): Promise<void> {
    if (this.#watched) await this.#hearWatcher().catch(() => undefined)
  }

  #token(): string {
    return `watched ${this.#changes}`
  }

  async #ask(): Promise<string> {
    if (this.#watched) {
      try {
        await this.#hearWatcher()
        return this.#token()
      } catch {
        this.#stop()
      }
    }
    return this.#readCounters()
  }

  async #watch(watcher: Redis): Promise<void> {
    try {
      const id = String(await watcher.client('ID'))
      await watcher.call('CLIENT', 'TRACKING', 'ON', 'REDIRECT', id, 'BCAST', 'PREFIX', 'pypicloud:')
      await watcher.subscribe(invalidations)
      this.#changes += 1
      this.#watched = true
    } catch {
      // an old server, a proxy, or rights that don't reach so far
    }
    this.#started()
  }

  #stop(): void {
    this.#watched = false
    this.#trustedUntil = 0
    clearTimeout(this.#timer)
  }

  /** A sign of life: reports of whatever was done before it was asked for are here when it comes. */
  async #hear(): Promise<void> {
    const askedAt = performance.now()
    await this.#watcher?.ping()
    if (!this.#watched) throw new Error('the connection is a new one')
    this.#trustedUntil = askedAt + trustedFor
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      if (!this.#asked) return // nobody has been here since
      this.#asked = false
      this.#hearWatcher().catch(() => this.#stop())
    }, pause).unref()
  }

  /** What the servers count. Not by database, and not by key: it changes too often, never too seldom. */
  async #counters(): Promise<string> {
    const nodes = this.connection.nodes()
    const counters = await Promise.all(nodes.map(node => this.#countersOf(node)))
    return `counted ${this.connection.epoch} ${counters.join(' ')}`
  }

  async #countersOf(node: Redis): Promise<string> {
    const read = async () => `${await node.info('persistence')}${await node.info('stats')}`
    const info = await (this.connection.isCluster
      ? read().catch(() => '') // the keys of the other nodes can still be read
      : this.connection.run(read))
    const valueOf = (field: string) => new RegExp(`^${field}:(.*)$`, 'm').exec(info)?.[1]?.trim()
    const values = [...counted.map(valueOf), valueOf(savesOfNewServers) ?? '']
    return values.includes(undefined) ? `unknown-${(this.#changes += 1)}` : values.join('.')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop()
    this.#watcher?.disconnect()
    await Promise.resolve()
  }
}

/** Since Redis 7: tells two snapshots within a second apart, each of which begins to count the changes anew. */
const savesOfNewServers = 'rdb_saves'
const counted = ['rdb_last_save_time', 'rdb_changes_since_last_save', 'evicted_keys', 'expired_keys']

/** Runs `work` for all who ask while it waits to start: the next run for those who ask while one is under way. */
function shared<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined
  let next: Promise<T> | undefined
  const run = (): Promise<T> => {
    next = undefined
    running = work().finally(() => (running = undefined))
    return running
  }
  return () => (next ??= running ? running.then(run, run) : Promise.resolve().then(run))
}

function deferred(): {promise: Promise<void>; resolve: () => void} {
  let resolve = (): void => undefined
  const promise = new Promise<void>(done => (resolve = done))
  return {promise, resolve}
}
