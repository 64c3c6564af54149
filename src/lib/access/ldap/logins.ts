import type {Client} from 'ldapts'
import {ConnectionBroken, type DirectoryConnection} from './connection.js'
import {Turns} from './turns.js'

const loginsAtOnce = 8
const idleMs = 30_000

/** Connections on which passwords are tried, one at a time each. They are kept a while: TLS costs more than a log-in. */
export class LoginConnections {
  readonly #turns: Turns
  readonly #idle = new Map<DirectoryConnection, NodeJS.Timeout>()
  #closed = false

  constructor(
    private readonly open: () => Promise<DirectoryConnection>,
    patienceMs: number,
  ) {
    this.#turns = new Turns(loginsAtOnce, patienceMs)
  }

  /**
   * On a kept connection, and on a new one if that turns out to be lost.
   * @param elsewhere opens a connection to another server, which is not kept
   */
  async use<T>(
    work: (client: Client) => Promise<T>,
    elsewhere?: () => Promise<DirectoryConnection>,
  ): Promise<T> {
    return this.#turns.take(async () => {
      if (elsewhere) {
        const connection = await elsewhere()
        return connection.run(work).finally(() => connection.close())
      }
      const kept = this.#takeIdle()
      if (kept) {
        try {
          return await this.#run(kept, work)
        } catch (error) {
          if (!(error instanceof ConnectionBroken) || error.reason === 'late') throw error
        }
      }
      return this.#run(await this.open(), work)
    })
  }

  close(): void {
    this.#closed = true
    for (const [connection, timer] of this.#idle) {
      clearTimeout(timer)
      connection.close()
    }
    this.#idle.clear()
  }

  async #run<T>(connection: DirectoryConnection, work: (client: Client) => Promise<T>): Promise<T> {
    try {
      return await connection.run(work)
    } finally {
      if (this.#closed) connection.close()
      else if (connection.isOpen) this.#keep(connection)
    }
  }

  #keep(connection: DirectoryConnection): void {
    const timer = setTimeout(() => {
      this.#idle.delete(connection)
      connection.close()
    }, idleMs).unref()
    this.#idle.set(connection, timer)
  }

  #takeIdle(): DirectoryConnection | undefined {
    for (const [connection, timer] of this.#idle) {
      clearTimeout(timer)
      this.#idle.delete(connection)
      if (connection.isOpen) return connection
    }
    return undefined
  }
}
