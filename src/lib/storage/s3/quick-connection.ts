import {request as httpRequest, type ClientRequest, type IncomingMessage} from 'node:http'
import {request as httpsRequest} from 'node:https'
import type {Socket} from 'node:net'
import type {Connections} from './agents.js'
import type {Address} from './object-url.js'

export interface SignedRequest {
  /** Percent-encoded. */
  readonly address: Address
  readonly headers: Readonly<Record<string, string>>
}
export interface PlainRequest extends SignedRequest {
  readonly method: string
  readonly content?: Buffer | undefined
  readonly signal?: AbortSignal | undefined
}

/** The SDK's own handler does more than twice as much for each request. @throws what node:http does */
export async function sendOver(
  {httpAgent, httpsAgent, connectionTimeout, socketTimeout}: Connections,
  {method, address, headers, content, signal}: PlainRequest,
): Promise<IncomingMessage> {
  const isEncrypted = address.protocol === 'https:'
  return new Promise((resolve, reject) => {
    const request = (isEncrypted ? httpsRequest : httpRequest)(
      {
        agent: isEncrypted ? httpsAgent : httpAgent,
        method,
        host: address.hostname.replace(/^\[|\]$/g, ''),
        port: address.port,
        path: address.pathname + address.search,
        headers,
        timeout: socketTimeout,
        signal,
      },
      resolve,
    )
    request.on('error', reject)
    request.once('timeout', () => request.destroy(new Error('no answer came')))
    limitConnecting(request, connectionTimeout)
    request.end(content)
  })
}

function limitConnecting(request: ClientRequest, timeout: number): void {
  request.once('socket', (socket: Socket) => {
    if (!socket.connecting) return
    const timer = setTimeout(() => request.destroy(new Error('nobody took the connection')), timeout)
    const clear = () => clearTimeout(timer)
    socket.once('connect', clear)
    request.once('close', clear)
  })
}
