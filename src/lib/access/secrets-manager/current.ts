import type {HostCounter} from '../../host-counter.js'
import {DatabaseFailed} from '../../sql/failures.js'
import {BadBlob, Blob} from './blob.js'
import type {Secret, SecretVersion} from './secret.js'

/** How old an answer of AWS may be (RULES 9), and when the next is fetched beforehand. */
const freshMs = 1000
const refreshMs = 500
const counter = 'rules'

/** A version of the rules, read only. */
export interface Snapshot {
  /** Differs for every version. */
  readonly token: string
  readonly blob: Blob
}

/** When AWS was asked: monotonic time, and what the host's counter was. */
interface Asked {
  readonly at: number
  readonly counter: string
}

/**
 * The rules as of a second ago at most, by asking AWS once a second while anybody asks here. What a process of this host
 * writes, the others see at once.
 */
export class CurrentRules {
  #known: {readonly snapshot: Snapshot; readonly asked: Asked} | undefined
  #running: {readonly promise: Promise<Snapshot>; readonly asked: Asked} | undefined

  constructor(
    private readonly secret: Secret,
    private readonly host: HostCounter,
  ) {}

  /** No promise when they are known. */
  get(): Snapshot | Promise<Snapshot> {
    const now: Asked = {at: performance.now(), counter: this.host.read(counter)}
    const isOf = (found: {asked: Asked} | undefined) => found?.asked.counter === now.counter
    const running = isOf(this.#running) ? this.#running?.promise : undefined
    const known = isOf(this.#known) ? this.#known : undefined
    const age = known ? now.at - known.asked.at : Infinity
    if (!known || age > freshMs) return running ?? this.#ask(now)
    // those who ask often never wait: the next answer is on its way before this one is too old
    if (age > refreshMs && !running) {
      this.#ask(now).catch(() => undefined) // whoever comes when it is too old asks again, and hears of it
    }
    return known.snapshot
  }

  /** To be called after every write of ours. */
  noteWrite(): void {
    this.host.bump([counter])
    // without a file for the host, at least this process knows at once
    this.#known = undefined
    this.#running = undefined
  }

  #ask(asked: Asked): Promise<Snapshot> {
    const before = this.#known?.snapshot
    const promise = this.secret.read().then(version => {
      const token = version?.id ?? ''
      const snapshot = before?.token === token ? before : {token, blob: parseBlob(version, this.secret)}
      if (this.#running?.promise === promise) this.#known = {snapshot, asked}
      return snapshot
    })
    const done = () => {
      if (this.#running?.promise === promise) this.#running = undefined
    }
    promise.then(done, done)
    this.#running = {promise, asked}
    return promise
  }
}

/** @throws {DatabaseFailed} when it holds something else. */
export function parseBlob(version: SecretVersion | undefined, {origin}: Secret): Blob {
  try {
    return Blob.parse(version?.text ?? '{}')
  } catch (cause) {
    if (!(cause instanceof BadBlob)) throw cause
    throw new DatabaseFailed(
      `${origin.place('auth.secret_id')}: ${origin.secret} does not hold access rules: ${cause.message}`,
      {cause},
    )
  }
}
