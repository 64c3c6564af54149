import {randomUUID} from 'node:crypto'
import {LockHeld, LockLost, Unavailable} from '../../errors.js'
import {expiryOf, type Lock, type LockOptions} from '../cache.js'
import type {RedisConnection} from './connection.js'
import {lockKey} from './keys.js'
import {releaseLock, renewLock, takeLock} from './scripts.js'

/** A key that expires by the server's clock unless its holder renews it. */
export async function acquireRedisLock(
  connection: RedisConnection,
  name: string,
  options: LockOptions,
): Promise<Lock> {
  const milliseconds = String(expiryOf(options) * 1000)
  const token = randomUUID()
  const held = await connection.runScript(takeLock, [lockKey(name)], [token, options.owner, milliseconds])
  if (Array.isArray(held)) {
    const [owner, age] = held as [string, string]
    throw new LockHeld(
      `the lock "${name}" of ${connection.where.name} is held by ${owner}, for ${Math.max(0, Math.round(Number(age) / 1000))} s now`,
    )
  }
  return new RedisLock(connection, name, token, milliseconds)
}

/** What a script needs to write under a lock: its key, token and milliseconds. Without a lock it writes in any case. */
export function lockArguments(lock: Lock | undefined): {
  key: string
  args: [token: string, milliseconds: string]
} {
  if (!lock) return {key: lockKey(''), args: ['', '']}
  if (!(lock instanceof RedisLock)) throw lostLock(lock)
  return {key: lockKey(lock.name), args: [lock.token, lock.milliseconds]}
}

/** For a script that found the lock in other hands. */
export function loseLock(lock: Lock | undefined): LockLost {
  if (lock instanceof RedisLock) lock.lose()
  return lostLock(lock)
}
const lostLock = (lock: Lock | undefined): LockLost =>
  new LockLost(`the lock "${lock?.name ?? ''}" was lost to another run, which took it over`)

class RedisLock implements Lock {
  readonly signal: AbortSignal
  readonly #lost = new AbortController()
  readonly #heartbeat: NodeJS.Timeout
  #beat: Promise<void> = Promise.resolve()

  constructor(
    private readonly connection: RedisConnection,
    readonly name: string,
    readonly token: string,
    readonly milliseconds: string,
  ) {
    this.signal = this.#lost.signal
    this.#heartbeat = setInterval(
      () => {
        this.#beat = this.#beat.then(() => this.#renew())
      },
      Number(milliseconds) / 3,
    ).unref()
  }

  lose(): void {
    clearInterval(this.#heartbeat)
    this.#lost.abort(lostLock(this))
  }

  async #renew(): Promise<void> {
    try {
      const ours = await this.connection.runScript(
        renewLock,
        [lockKey(this.name)],
        [this.token, this.milliseconds],
      )
      if (ours !== 1) this.lose()
    } catch (error) {
      // while the server is away nobody takes the lock over either; every write checks the lock again
      if (!(error instanceof Unavailable)) this.lose()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#heartbeat)
    await this.#beat
    await this.connection.runScript(releaseLock, [lockKey(this.name)], [this.token])
  }
}
