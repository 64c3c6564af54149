import {setTimeout as sleep} from 'node:timers/promises'

/** Milliseconds that may be saved up: short stops don't slow the whole down. */
const savedMs = 500

/** A limit that all transfers share: each waits until the bytes that it has read are paid for. */
export class Bandwidth {
  /** The time, by the monotonic clock, at which everything taken so far is paid for. */
  #paidAt = performance.now()

  constructor(private readonly bytesPerSecond: number) {}

  async take(bytes: number): Promise<void> {
    const now = performance.now()
    this.#paidAt = Math.max(this.#paidAt, now - savedMs) + (bytes / this.bytesPerSecond) * 1000
    const wait = this.#paidAt - now
    if (wait > 1) await sleep(wait)
  }
}
