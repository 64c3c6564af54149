import {setTimeout as sleep} from 'node:timers/promises'

/** Milliseconds that may be saved up: short stops don't slow the whole down. */
const savedMs = 500
/** A timer that is to take longer than 2^31 ms goes off at once. */
const longestSleepMs = 24 * 3_600_000

/** Monotonic. */
export interface Clock {
  now(): number
  sleep(ms: number): Promise<unknown>
}
const systemClock: Clock = {now: () => performance.now(), sleep: ms => sleep(ms)}

/** A limit that all transfers share: each waits until the bytes that it has read are paid for. */
export class Bandwidth {
  /** The time at which everything taken so far is paid for. */
  #paidAt: number

  constructor(
    private readonly bytesPerSecond: number,
    private readonly clock: Clock = systemClock,
  ) {
    this.#paidAt = clock.now()
  }

  async take(bytes: number): Promise<void> {
    const now = this.clock.now()
    this.#paidAt = Math.max(this.#paidAt, now - savedMs) + (bytes / this.bytesPerSecond) * 1000
    const wait = this.#paidAt - now
    for (let left = wait; left > 1; left -= longestSleepMs) {
      await this.clock.sleep(Math.min(left, longestSleepMs))
    }
  }
}
