import type {FastifyInstance} from 'fastify'
import type {IncomingMessage, ServerResponse} from 'node:http'
import type {Socket} from 'node:net'

/** How long running uploads and downloads may take to end, in seconds. */
export const graceSeconds = 300

/** A client that was answered while it was still sending has so long, in ms, to read the answer. */
const reading = 5000

/**
 * How `app`, which must not listen yet, will end without hurting anybody: no new connections, idle ones closed at
 * once, running requests answered; what is left after `seconds` is cut.
 */
export function gracefulClose(app: FastifyInstance, seconds = graceSeconds): () => Promise<void> {
  const {server} = app
  // Connections that wait for no answer, and since when. Node takes those for busy that have sent half a request, or
  // were answered before their body had come: they would hold the server for minutes.
  const waiting = new Map<Socket, number>()
  server.on('connection', (socket: Socket) => {
    waiting.set(socket, -Infinity)
    socket.once('close', () => waiting.delete(socket))
  })
  server.prependListener('request', ({socket}: IncomingMessage, response: ServerResponse) => {
    waiting.delete(socket)
    response.once('close', () => {
      if (!socket.destroyed) waiting.set(socket, performance.now())
    })
  })
  const closeWaiting = (): void => {
    server.closeIdleConnections()
    for (const [socket, since] of waiting) if (performance.now() - since > reading) socket.destroy()
  }
  return async () => {
    const idle = setInterval(closeWaiting, 100)
    const limit = setTimeout(() => server.closeAllConnections(), seconds * 1000)
    try {
      closeWaiting()
      await app.close()
    } finally {
      clearInterval(idle)
      clearTimeout(limit)
    }
  }
}
