import {once} from 'node:events'
import {createConnection, createServer, type Socket} from 'node:net'

export interface TcpProxy extends AsyncDisposable {
  readonly port: number
  /** How many connections there were so far. */
  readonly connections: number
  /** Resets all connections on both sides; new ones are taken. */
  cut(): void
  /** From now on loses what comes by the connections that are open, without a word; new ones are taken. */
  swallow(): void
}

/** Passes bytes between its clients and a port of 127.0.0.1, for protocols that are not HTTP. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const pairs = new Set<readonly [Socket, Socket]>()
  let connections = 0
  const server = createServer(client => {
    const target = createConnection({host: '127.0.0.1', port: targetPort})
    const pair = [client, target] as const
    connections += 1
    pairs.add(pair)
    for (const [from, to] of [pair, [target, client] as const]) {
      from.pipe(to)
      from.on('error', () => undefined)
      from.once('close', () => {
        pairs.delete(pair)
        to.destroy()
      })
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the TCP proxy has no port')
  const cut = (): void => {
    for (const [client, target] of pairs) {
      client.resetAndDestroy()
      target.resetAndDestroy()
    }
  }
  const swallow = (): void => {
    for (const socket of [...pairs].flat()) {
      socket.unpipe()
      socket.resume()
    }
  }
  return {
    port: address.port,
    get connections() {
      return connections
    },
    cut,
    swallow,
    async [Symbol.asyncDispose]() {
      if (!server.listening) return
      const closed = new Promise(resolve => server.close(resolve))
      cut()
      await closed
    },
  }
}
