import pLimit, {type LimitFunction} from 'p-limit'

/** It was never this one's turn. */
export class WaitedTooLong extends Error {}

/** Lets a few do something at a time while others wait, but neither many nor long. */
export class Turns {
  readonly #limit: LimitFunction

  constructor(
    atOnce: number,
    private readonly patienceMs: number,
    private readonly maxWaiting = 1000,
  ) {
    this.#limit = pLimit(atOnce)
  }

  get isBusy(): boolean {
    return this.#limit.activeCount > 0
  }

  /** @throws {WaitedTooLong} */
  async take<T>(work: () => Promise<T>): Promise<T> {
    if (this.#limit.pendingCount >= this.maxWaiting) throw new WaitedTooLong()
    const since = performance.now()
    return this.#limit(() => {
      if (performance.now() - since > this.patienceMs) throw new WaitedTooLong()
      return work()
    })
  }
}
