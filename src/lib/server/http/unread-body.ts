import type {IncomingMessage, ServerResponse} from 'node:http'

/** How long the rest of a body may take, in milliseconds, once its request was answered without it. */
export interface UnreadBodyLimits {
  /** Of an upload that was refused: a client that sends all before it reads must see why. */
  readonly uploadMs: number
  /** Of anything else. A page needs no body: whoever sends one, byte by byte, only holds a connection. */
  readonly otherMs: number
}

const usual: UnreadBodyLimits = {uploadMs: 10 * 60_000, otherMs: 60_000}

/** Cuts the connection of a request whose body goes on for too long after its answer. Node itself would read it for ever. */
export function limitUnreadBody(
  request: IncomingMessage,
  response: ServerResponse,
  {uploadMs, otherMs}: UnreadBodyLimits = usual,
): void {
  const {headers, method, socket} = request
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return
  response.once('finish', () => {
    if (request.complete) return
    const cut = (): void => {
      if (!request.complete) socket.destroy()
    }
    setTimeout(cut, method === 'POST' ? uploadMs : otherMs).unref()
  })
}
