import {Agent, request, type ClientRequest, type IncomingMessage, type ServerResponse} from 'node:http'
import type {Socket} from 'node:net'
import type {Writable} from 'node:stream'
import type {Fault} from './faults.js'

/** A client's connection and the one to the target that it has to itself. */
export interface Connection {
  readonly client: Socket
  readonly agent: Agent
  /** Requests that have no whole answer yet. */
  open: number
  /** What `agent` has opened. */
  readonly known: WeakSet<Socket>
}

export function connectionOf(client: Socket): Connection {
  const agent = new Agent({keepAlive: true, maxSockets: 1})
  client.once('close', () => agent.destroy())
  return {client, agent, open: 0, known: new WeakSet()}
}

/** One request and what is to become of it. */
export interface Passage {
  readonly incoming: IncomingMessage
  readonly answer: ServerResponse
  readonly connection: Connection
  readonly target: {readonly hostname: string; readonly port: string}
  /** The client sends no body before it has read `100 Continue`, which then is the target's to say. */
  readonly awaitsContinue: boolean
  readonly fault: Fault | undefined
}

/** Sends a request to the target and its answer back; what breaks on one side is broken on the other. */
export function passOn(passage: Passage): void {
  const {incoming, answer, connection, target, awaitsContinue, fault} = passage
  const {client, agent} = connection
  const outgoing = request({
    host: target.hostname,
    port: target.port,
    agent,
    method: incoming.method ?? 'GET',
    path: incoming.url ?? '/',
    headers: incoming.rawHeaders, // an array is sent as it is: nothing is added, `Host` least of all
  })
  let continued = !awaitsContinue
  outgoing.once('continue', () => {
    continued = true
    if (awaitsContinue) answer.writeContinue()
  })
  outgoing.once('socket', socket => closeTogether(connection, socket))
  outgoing.on('error', () => {
    if (answer.headersSent) incoming.unpipe(outgoing).resume()
    else client.resetAndDestroy()
  })
  outgoing.once('response', arrived => {
    arrived.on('error', () => client.resetAndDestroy())
    if (fault?.kind === 'lose-answer') {
      arrived.resume().once('close', () => client.resetAndDestroy())
      return
    }
    // Where the target would close, or reads no body that was announced, the client must not send another request.
    answer.shouldKeepAlive = outgoing.shouldKeepAlive && continued
    answer.writeHead(arrived.statusCode ?? 502, arrived.statusMessage, arrived.rawHeaders)
    answer.flushHeaders()
    if (fault?.kind === 'truncate') void sendPart(arrived, answer, fault.afterBytes, () => client.destroy())
    else if (fault?.kind === 'reset')
      void sendPart(arrived, answer, fault.afterBytes ?? 0, () => client.resetAndDestroy())
    else arrived.pipe(answer)
  })
  if (fault?.kind === 'cut-upload')
    void sendPart(incoming, outgoing, fault.afterBytes, () => cut(client, outgoing))
  else incoming.pipe(outgoing)
}

/** When the target closes a connection on which nothing is going on, so does the proxy. */
function closeTogether(connection: Connection, socket: Socket): void {
  if (connection.known.has(socket)) return
  connection.known.add(socket)
  socket.once('close', () => {
    if (connection.open === 0) connection.client.end()
  })
}

/** Writes the first `bytes` of a body, or all of one that is shorter, but not its end; then breaks the connection. */
async function sendPart(
  from: AsyncIterable<Buffer>,
  to: Writable,
  bytes: number,
  breakIt: () => void,
): Promise<void> {
  let left = bytes
  try {
    if (left > 0)
      for await (const chunk of from) {
        const part = chunk.subarray(0, left)
        left -= part.length
        await new Promise(resolve => to.write(part, resolve))
        if (left === 0) break
      }
  } catch {
    // Broken already.
  }
  breakIt()
}

function cut(client: Socket, outgoing: ClientRequest): void {
  outgoing.destroy()
  client.resetAndDestroy()
}
