import {randomUUID} from 'node:crypto'
import type {Knex} from 'knex'
import {LockHeld, LockLost, Unavailable} from '../../errors.js'
import type {Database} from '../../sql/database.js'
import {expiryOf, longestExpiry, type Lock, type LockOptions} from '../cache.js'

/** A row of `ppc_toolkit_locks`. Whoever finds it expired by the database's clock may take it over. */
export async function acquireSqlLock(database: Database, name: string, options: LockOptions): Promise<Lock> {
  const expireAfter = expiryOf(options)
  const {now} = database.dialect
  const token = randomUUID()
  await database.transaction(async transaction => {
    const held = (await transaction('ppc_toolkit_locks')
      .where('name', name)
      .select(
        'owner',
        transaction.raw(
          `expires_at BETWEEN ${now} AND ${now} + ${longestExpiry} AS alive, ${now} - acquired_at AS age`,
        ),
      )
      .forUpdate()
      .first()) as {owner: string; alive: number | boolean; age: number} | undefined
    if (held?.alive) {
      throw new LockHeld(
        `the lock "${name}" of ${database.name} is held by ${held.owner}, for ${Math.max(0, Math.round(held.age))} s now`,
      )
    }
    await transaction('ppc_toolkit_locks')
      .insert({
        name,
        token,
        owner: options.owner,
        acquired_at: transaction.raw(now),
        expires_at: transaction.raw(`${now} + ?`, [expireAfter]),
      })
      .onConflict('name')
      .merge()
  })
  return new SqlLock(database, name, token, expireAfter)
}

/** Renews the lock as part of a write. @throws {LockLost} when somebody else has taken it. */
export async function renewLock(transaction: Knex, lock: Lock): Promise<void> {
  const alive = lock instanceof SqlLock && (await lock.renew(transaction))
  if (!alive) throw new LockLost(`the lock "${lock.name}" was lost to another run, which took it over`)
}

class SqlLock implements Lock {
  readonly signal: AbortSignal
  readonly #lost = new AbortController()
  readonly #heartbeat: NodeJS.Timeout
  #beat: Promise<void> = Promise.resolve()

  constructor(
    private readonly database: Database,
    readonly name: string,
    readonly token: string,
    private readonly expireAfter: number,
  ) {
    this.signal = this.#lost.signal
    this.#heartbeat = setInterval(
      () => {
        this.#beat = this.#beat.then(() => this.#renewAlone())
      },
      (expireAfter * 1000) / 3,
    ).unref()
  }

  /** @returns false when the lock is no longer ours; then it aborts the signal. */
  async renew(knex: Knex): Promise<boolean> {
    const renewed = await knex('ppc_toolkit_locks')
      .where({name: this.name, token: this.token})
      .update({expires_at: knex.raw(`${this.database.dialect.now} + ?`, [this.expireAfter])})
    if (renewed === 0) this.#abort()
    return renewed > 0
  }

  async #renewAlone(): Promise<void> {
    try {
      await this.renew(this.database.knex)
    } catch (error) {
      // while the database is busy nobody takes the lock over either; every write checks the lock again
      if (!(error instanceof Unavailable)) this.#abort()
    }
  }

  #abort(): void {
    clearInterval(this.#heartbeat)
    this.#lost.abort(new LockLost(`the lock "${this.name}" of ${this.database.name} was lost to another run`))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#heartbeat)
    await this.#beat
    await this.database.knex('ppc_toolkit_locks').where({name: this.name, token: this.token}).delete()
  }
}
