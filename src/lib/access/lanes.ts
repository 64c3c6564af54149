import pLimit, {type LimitFunction} from 'p-limit'
import {Unavailable} from '../errors.js'

/** How many of one client's are worked on at once, and how many wait. */
const atOnce = 4
const maxWaiting = 100

interface Lane {
  readonly limit: LimitFunction
  /** Running and waiting. */
  users: number
}

/** Work of many clients, a few of each at a time: one that asks for a lot waits for itself and keeps nobody else up. */
export class Lanes {
  readonly #lanes = new Map<string, Lane>()

  /** @throws {Unavailable} when too much of this client waits already. */
  async run<T>(client: string, work: () => Promise<T>): Promise<T> {
    const lane = this.#lanes.get(client) ?? {limit: pLimit(atOnce), users: 0}
    if (lane.users >= atOnce + maxWaiting) {
      throw new Unavailable('too many log-ins wait to be verified', {hint: 'Try again in a few seconds.'})
    }
    this.#lanes.set(client, lane)
    lane.users += 1
    try {
      return await lane.limit(work)
    } finally {
      lane.users -= 1
      if (lane.users === 0) this.#lanes.delete(client)
    }
  }
}
