import {once} from 'node:events'
import {createServer, request as ask, type IncomingMessage, type ServerResponse} from 'node:http'
import {connect, type AddressInfo} from 'node:net'
import type {Duplex} from 'node:stream'

export interface ForwardProxy extends AsyncDisposable {
  /** For HTTP_PROXY and HTTPS_PROXY: `http://127.0.0.1:PORT`. */
  readonly url: string
  /** Everything that has come: `CONNECT host:443`, `GET http://host/path`. */
  readonly requests: string[]
}

export interface ForwardProxyOptions {
  /** It wants `user:PASSWORD`. */
  readonly password?: string
  /** Ports of this machine by the names of the hosts that they play. No other host is reached. */
  readonly hosts?: Readonly<Record<string, number>>
}

/** A proxy as companies have them between their machines and the internet, for which it stands too. */
export async function startForwardProxy(options: ForwardProxyOptions = {}): Promise<ForwardProxy> {
  const {password, hosts = {}} = options
  const requests: string[] = []
  const sockets = new Set<Duplex>()
  const expected = password && `Basic ${Buffer.from(`user:${password}`).toString('base64')}`
  const isWelcome = ({method, url, headers}: IncomingMessage) => {
    requests.push(`${method} ${url}`)
    return headers['proxy-authorization'] === expected
  }

  const passOn = (request: IncomingMessage, answer: ServerResponse) => {
    if (!isWelcome(request)) {
      answer.writeHead(407).end()
      return
    }
    const {method, headers} = request
    delete headers['proxy-authorization'] // for nobody behind us
    const onward = ask(request.url ?? '', {method, headers}, found => {
      answer.writeHead(found.statusCode ?? 502, found.headers)
      found.pipe(answer)
    })
    onward.on('error', () => answer.destroy())
    request.pipe(onward)
  }
  const tunnel = (request: IncomingMessage, client: Duplex) => {
    if (!isWelcome(request)) {
      client.end('HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n')
      return
    }
    const port = hosts[new URL(`http://${request.url}`).hostname]
    if (port === undefined) {
      client.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n')
      return
    }
    const server = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n')
      client.pipe(server).pipe(client)
    })
    server.on('error', () => client.destroy())
    client.on('error', () => server.destroy())
    client.once('close', () => server.destroy())
  }

  const server = createServer(passOn)
  server.on('connect', tunnel)
  server.on('connection', socket => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      const closed = new Promise(resolve => server.close(resolve))
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
