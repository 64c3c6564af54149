import {randomUUID} from 'node:crypto'
import {setTimeout as sleep} from 'node:timers/promises'
import {UpdateItemCommand} from '@aws-sdk/client-dynamodb'
import {LockHeld, LockLost} from '../../errors.js'
import {expiryOf, type Lock, type LockOptions} from '../cache.js'
import type {DynamoClient} from './client.js'
import {numberOf, textOf, type Item} from './items.js'
import type {Step} from './plan.js'
import {getItemsOf} from './reads.js'
import {ours, type Tables} from './tables.js'
import {isConditionFailure, StepWriter, type Guard} from './writes.js'

/** Copies of the token: two transactions that check one item get into each other's way. */
const copies = 8
const longestBeatMs = 1000

/** Tokens of locks that this very process holds: nobody has to be watched for those. */
const heldHere = new Set<string>()

/**
 * Locks as items of our table:
 * ```
 * lock:NAME  -        token, owner, beat, beat_ms, expire_ms
 * lock:NAME  copy-0…  token
 * ```
 * The holder raises `beat`; DynamoDB has no clock of its own. So who finds a lock watches it by its own monotonic clock:
 * a beat means that it is held, none for the whole expiry that it may be taken over (RULES 16).
 */
export class DynamoLocks {
  readonly #writer: StepWriter
  /** What was seen of a lock, and since when it is that: a second try in the same process goes on watching. */
  readonly #watched = new Map<string, {state: string; since: number}>()

  constructor(
    private readonly client: DynamoClient,
    private readonly tables: Tables,
  ) {
    this.#writer = new StepWriter(client, tables)
  }

  /** Takes as long as a beat of the holder, at most its expiry. @throws {LockHeld} */
  async acquire(name: string, options: LockOptions): Promise<DynamoLock> {
    const expireMs = expiryOf(options) * 1000
    const lock = new DynamoLock(this.client, this.tables, name, {
      owner: options.owner,
      expireMs,
      beatMs: Math.min(longestBeatMs, expireMs / 3),
    })
    let first: Item | undefined
    for (;;) {
      const [item] = await getItemsOf(this.client, {table: this.tables.ours, keys: [lock.key]})
      if (textOf(item, 'token') === lock.token) break // the answer to our write was lost
      if (!item || this.#isDead(name, item)) {
        const {outcome} = await this.#writer.write(lock.takeSteps(item))
        if (outcome === 'done') break
        continue
      }
      first ??= item
      const isAlive = stateOf(item) !== stateOf(first) || heldHere.has(textOf(item, 'token') ?? '')
      if (isAlive) throw this.#held(name, item)
      await sleep(Math.min(250, (numberOf(item, 'beat_ms') ?? longestBeatMs) / 2))
    }
    this.#watched.delete(name)
    lock.keep()
    return lock
  }

  #isDead(name: string, item: Item): boolean {
    const seen = this.#watched.get(name)
    const now = performance.now()
    if (seen?.state !== stateOf(item)) {
      this.#watched.set(name, {state: stateOf(item), since: now})
      return false
    }
    return now - seen.since >= (numberOf(item, 'expire_ms') ?? 60_000)
  }

  #held(name: string, item: Item): LockHeld {
    // the number of its beats is the one measure of its age that needs no clock in common
    const age = Math.round(((numberOf(item, 'beat') ?? 0) * (numberOf(item, 'beat_ms') ?? 0)) / 1000)
    return new LockHeld(
      `the lock "${name}" of the table ${this.tables.ours} is held by ${textOf(item, 'owner') ?? 'somebody'}, for about ${age} s now`,
    )
  }
}

const stateOf = (item: Item): string => `${textOf(item, 'token') ?? ''} ${item['beat']?.N ?? ''}`

interface LockFacts {
  readonly owner: string
  readonly expireMs: number
  readonly beatMs: number
}

export class DynamoLock implements Lock {
  readonly token = randomUUID()
  readonly signal: AbortSignal
  readonly key: Item
  readonly #lost = new AbortController()
  #heartbeat: NodeJS.Timeout | undefined
  #beat: Promise<void> = Promise.resolve()
  #isReleased = false

  constructor(
    private readonly client: DynamoClient,
    private readonly tables: Tables,
    readonly name: string,
    private readonly facts: LockFacts,
  ) {
    this.signal = this.#lost.signal
    this.key = this.#keyOf('-')
  }

  /** @param before the lock as it was found, which is taken over only while it is still that. */
  takeSteps(before: Item | undefined): Step[] {
    const {owner, beatMs, expireMs} = this.facts
    const item = {
      ...this.key,
      token: {S: this.token},
      owner: {S: owner},
      beat: {N: '0'},
      beat_ms: {N: String(beatMs)},
      expire_ms: {N: String(expireMs)},
    }
    const TableName = this.tables.ours
    const condition = before
      ? {
          ConditionExpression: '#token = :token AND #beat = :beat',
          ExpressionAttributeNames: {'#token': 'token', '#beat': 'beat'},
          ExpressionAttributeValues: {
            ':token': before['token'] ?? {S: ''},
            ':beat': before['beat'] ?? {N: '0'},
          },
        }
      : {ConditionExpression: 'attribute_not_exists(part)'}
    return [
      {order: 'claim', write: {Put: {TableName, Item: item, ...condition}}},
      ...this.#copyKeys().map((key): Step => ({
        order: 'name',
        write: {Put: {TableName, Item: {...key, token: {S: this.token}}}},
      })),
    ]
  }

  /** Begins to beat. */
  keep(): void {
    heldHere.add(this.token)
    this.#heartbeat = setInterval(() => {
      this.#beat = this.#beat.then(() => this.#raise())
    }, this.facts.beatMs).unref()
  }

  /** @param lane which of the copies is checked. */
  guard(lane: number): Guard {
    const key = this.#keyOf(`copy-${lane % copies}`)
    return {
      check: {ConditionCheck: {TableName: this.tables.ours, Key: key, ...this.#isOurs()}},
      verify: async () => {
        const [item] = await getItemsOf(this.client, {table: this.tables.ours, keys: [this.key]})
        if (textOf(item, 'token') !== this.token) this.#throwLost()
      },
      lost: () => this.#throwLost(),
    }
  }

  async #raise(): Promise<void> {
    if (this.#isReleased || this.signal.aborted) return
    try {
      await this.client.send(
        new UpdateItemCommand({
          TableName: this.tables.ours,
          Key: this.key,
          UpdateExpression: 'ADD #beat :one',
          ConditionExpression: '#token = :token',
          ExpressionAttributeNames: {'#beat': 'beat', '#token': 'token'},
          ExpressionAttributeValues: {':one': {N: '1'}, ':token': {S: this.token}},
        }),
      )
    } catch (error) {
      // while the service can't be reached nobody else takes it either, and every write checks it again
      if (isConditionFailure(error)) this.#abort()
    }
  }

  #throwLost(): never {
    const lost = new LockLost(`the lock "${this.name}" was lost to another run, which took it over`)
    this.#abort(lost)
    throw lost
  }

  #abort(reason = new LockLost(`the lock "${this.name}" was lost to another run`)): void {
    this.#stop()
    this.#lost.abort(reason)
  }

  #stop(): void {
    clearInterval(this.#heartbeat)
    heldHere.delete(this.token)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isReleased) return
    this.#isReleased = true
    this.#stop()
    await this.#beat
    const TableName = this.tables.ours
    const steps = this.#copyKeys().map((Key): Step => ({
      order: 'name gone',
      write: {Delete: {TableName, Key, ...this.#isOurs()}},
    }))
    const release: Step = {order: 'claim', write: {Delete: {TableName, Key: this.key, ...this.#isOurs()}}}
    await new StepWriter(this.client, this.tables).write([release, ...steps]) // `again`: it is somebody else's by now
  }

  #keyOf(name: string): Item {
    return {part: {S: ours.lock(this.name)}, name: {S: name}}
  }

  #copyKeys(): Item[] {
    return Array.from({length: copies}, (_, copy) => this.#keyOf(`copy-${copy}`))
  }

  #isOurs() {
    return {
      ConditionExpression: '#token = :token',
      ExpressionAttributeNames: {'#token': 'token'},
      ExpressionAttributeValues: {':token': {S: this.token}},
    }
  }
}
