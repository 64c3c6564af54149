import type {Socket} from 'node:net'
import {setTimeout as sleep} from 'node:timers/promises'

/** How long a server may say nothing to a query before it is asked whether it is at it, in milliseconds. */
const quietMs = 8000
/** How long it may take to say so, a new connection included. */
const patienceMs = 5000
/** What an answer may need that was on its way while the server was asked. */
const onItsWayMs = 1000

/** A connection as those see it who wait for an answer on it. */
export interface Line {
  readonly socket: Socket
  /** How the server calls the connection. */
  readonly id: string
}

/**
 * Tells a server that works on a long query from one that is frozen, and from a firewall that has swallowed the query:
 * of those no answer would ever come. Who works gets no limit.
 */
export class SilenceWatch {
  /** When somebody last waited in vain: monotonic. */
  silentAt = -Infinity
  #asking: Promise<readonly string[] | undefined> | undefined

  /** @param listBusy The ids of the connections on which the server is at work now, asked on a connection of its own. */
  constructor(private readonly listBusy: () => Promise<readonly string[]>) {}

  /** Runs `work`, which waits for an answer on the line; cuts the line, and so ends `work`, when none will come. */
  async during<T>(line: Line, work: () => Promise<T>): Promise<T> {
    let waits = true
    const timer = setTimeout(() => void this.#listen(line, () => waits), quietMs).unref()
    try {
      return await work()
    } finally {
      waits = false
      clearTimeout(timer)
    }
  }

  async #listen({socket, id}: Line, stillWaits: () => boolean): Promise<void> {
    while (stillWaits() && !socket.destroyed) {
      const heard = socket.bytesRead
      const isBusy = (await this.#ask())?.includes(id) ?? false
      await sleep(isBusy ? quietMs : onItsWayMs, undefined, {ref: false})
      if (isBusy || !stillWaits() || socket.bytesRead !== heard) continue
      this.silentAt = performance.now()
      socket.destroy(Object.assign(new Error('the server does not answer'), {code: 'ETIMEDOUT'}))
    }
  }

  /** Undefined when it does not answer. All who wait at the same time ask once. */
  #ask(): Promise<readonly string[] | undefined> {
    this.#asking ??= Promise.race([
      this.listBusy().catch(() => undefined),
      sleep(patienceMs, undefined, {ref: false}),
    ]).finally(() => (this.#asking = undefined))
    return this.#asking
  }
}
