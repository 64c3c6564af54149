import type {Worker} from 'node:cluster'

/** What node:cluster tells a worker beside a connection, and what the worker answers. Undocumented; the same from Node 10 to 26. */
interface Handing {
  readonly cmd: 'NODE_CLUSTER'
  readonly act: 'newconn'
  readonly seq: number
}
interface Answer {
  readonly cmd: 'NODE_CLUSTER'
  readonly ack?: number
  readonly accepted?: boolean
  readonly act?: string
}
interface Connection {
  close(): void
}

/**
 * Closes connections that nobody will answer. The first process accepts them and hands each to a worker; node:cluster
 * forgets, without closing it, one whose worker dies before it has taken it, and one that the last worker refuses because
 * it is ending: the client would wait for as long as this process lives (https://github.com/nodejs/node/issues/21746).
 * A client whose connection is closed before an answer tries again, as pip and uv do.
 *
 * If Node comes to say it in other words, nothing is seen here, and all is as node:cluster does it.
 */
export class HandedConnections {
  /** Workers that may still take one. */
  readonly #listening = new Set<Worker>()

  /** To be called before the worker listens. */
  watch(worker: Worker): void {
    const {process} = worker
    const handed = new Map<number, Connection>()
    const send = process.send.bind(process) as (...sent: unknown[]) => boolean
    process.send = (...sent: unknown[]): boolean => {
      const [message, connection] = sent
      if (isHanding(message)) handed.set(message.seq, connection as Connection)
      return send(...sent)
    }
    process.on('internalMessage', (message: Answer) => {
      if (message.act === 'close') this.#listening.delete(worker)
      if (message.ack === undefined) return
      const connection = handed.get(message.ack)
      handed.delete(message.ack)
      if (message.accepted === false && this.#listening.size === 0) connection?.close()
    })
    worker.on('listening', () => this.#listening.add(worker))
    worker.on('exit', () => {
      this.#listening.delete(worker)
      for (const connection of handed.values()) connection.close()
      handed.clear()
    })
  }
}

const isHanding = (message: unknown): message is Handing =>
  typeof message === 'object' && message !== null && 'act' in message && message.act === 'newconn'
