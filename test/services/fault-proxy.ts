import {once} from 'node:events'
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http'
import type {Socket} from 'node:net'
import {setTimeout as sleep} from 'node:timers/promises'
import {FaultChooser, type FaultRule, type SeenRequest} from './faults.js'
import {connectionOf, passOn, type Connection} from './pass-on.js'

export {s3Error, type Fault, type FaultRule, type SeenRequest} from './faults.js'

export interface FaultProxy extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` and the path of the target. */
  readonly url: string
  readonly port: number
  /** Everything that has come so far; `length = 0` forgets it. */
  readonly requests: SeenRequest[]
  /** Of the rules that are for a request the first counts. May be changed or replaced at any time. */
  faults: FaultRule[]
  /** How long every request is held back before it is passed on, which plays a service that is far away. */
  delayMs: number
}

export interface FaultProxyOptions {
  readonly faults?: readonly FaultRule[]
  readonly delayMs?: number
  /** Of the numbers behind `probability`. */
  readonly seed?: number
}

/**
 * An HTTP proxy on loopback before `target`, which harms the requests it is told to. Heads and bodies pass as they are, `Host`
 * included, because signatures cover it; bodies stream. A connection of a client has one of its own to the target, and when
 * the target closes one so does the proxy: it adds no failures that weren't asked for.
 */
export async function startFaultProxy(target: string, options: FaultProxyOptions = {}): Promise<FaultProxy> {
  const {hostname, port: targetPort, pathname} = new URL(target)
  const chooser = new FaultChooser(options.seed ?? 1)
  const connections = new Map<Socket, Connection>()

  const handle = async (incoming: IncomingMessage, answer: ServerResponse, awaitsContinue: boolean) => {
    const connection = connections.get(incoming.socket)
    if (connection === undefined) return // it is closed already
    connection.open += 1
    answer.sendDate = false // the target's own
    answer.once('finish', () => (connection.open -= 1))
    answer.on('error', () => undefined) // the client has left in the middle of it
    const {method = 'GET', url: path = '/', headers} = incoming
    const seen: SeenRequest = {method, path, headers, at: performance.now()}
    const fault = chooser.choose(proxy.faults, seen)
    proxy.requests.push(fault === undefined ? seen : {...seen, fault: fault.kind})

    if (fault?.kind === 'hang') return
    const heldBackMs = proxy.delayMs + (fault?.kind === 'delay' ? fault.ms : 0)
    if (heldBackMs > 0) await sleep(heldBackMs, undefined, {ref: false})
    if (fault?.kind === 'hold') await fault.until
    if (incoming.socket.destroyed) return
    if (fault?.kind === 'reset' && fault.afterBytes === undefined) incoming.socket.resetAndDestroy()
    else if (fault?.kind === 'answer') {
      if (awaitsContinue) answer.shouldKeepAlive = false
      answer.writeHead(fault.status, fault.headers)
      answer.end(method === 'HEAD' ? undefined : fault.body)
      incoming.resume()
    } else passOn({incoming, answer, connection, target: {hostname, port: targetPort}, awaitsContinue, fault})
  }

  const server = createServer({keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0})
  server.on('connection', (socket: Socket) => {
    connections.set(socket, connectionOf(socket))
    socket.once('close', () => connections.delete(socket))
  })
  server.on('request', (incoming, answer) => void handle(incoming, answer, false))
  server.on('checkContinue', (incoming, answer) => void handle(incoming, answer, true))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the fault proxy has no port')

  const proxy: FaultProxy = {
    url: `http://127.0.0.1:${address.port}${pathname.replace(/\/$/, '')}`,
    port: address.port,
    requests: [],
    faults: [...(options.faults ?? [])],
    delayMs: options.delayMs ?? 0,
    async [Symbol.asyncDispose]() {
      if (!server.listening) return
      const closed = new Promise(resolve => server.close(resolve))
      for (const socket of connections.keys()) socket.destroy()
      await closed
    },
  }
  return proxy
}
