import {request as httpRequest, type Agent, type ClientRequest, type IncomingMessage} from 'node:http'
import {request as httpsRequest} from 'node:https'
import type {Socket} from 'node:net'
import type {S3Client} from '@aws-sdk/client-s3'

export interface PlainRequest {
  readonly method: string
  /** Percent-encoded. */
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly content?: Buffer | undefined
  readonly signal?: AbortSignal | undefined
}

/** What the client's handler was made with; empty until its first request. Times in milliseconds. */
interface Connections {
  readonly httpAgent?: Agent
  readonly httpsAgent?: Agent
  readonly connectionTimeout?: number
  readonly socketTimeout?: number
}

/**
 * Sends a request over the connections of the SDK's client, with its limits of time. Its own handler does more than twice as
 * much for each. @throws what node:http does
 */
export async function sendOver(
  client: S3Client,
  {method, url, headers, content, signal}: PlainRequest,
): Promise<IncomingMessage> {
  const handler = client.config.requestHandler as {httpHandlerConfigs(): object}
  const connections = handler.httpHandlerConfigs() as Connections
  const isEncrypted = url.protocol === 'https:'
  const agent = isEncrypted ? connections.httpsAgent : connections.httpAgent
  if (agent === undefined) throw new Error('the client has no connections yet')
  return new Promise((resolve, reject) => {
    const request = (isEncrypted ? httpsRequest : httpRequest)(
      {
        agent,
        method,
        host: url.hostname.replace(/^\[|\]$/g, ''),
        port: url.port,
        path: url.pathname + url.search,
        headers,
        timeout: connections.socketTimeout,
        signal,
      },
      resolve,
    )
    request.on('error', reject)
    request.once('timeout', () => request.destroy(new Error('no answer came')))
    limitConnecting(request, connections.connectionTimeout)
    request.end(content)
  })
}

function limitConnecting(request: ClientRequest, timeout = 0): void {
  if (timeout === 0) return
  request.once('socket', (socket: Socket) => {
    if (!socket.connecting) return
    const timer = setTimeout(() => request.destroy(new Error('nobody took the connection')), timeout)
    const clear = () => clearTimeout(timer)
    socket.once('connect', clear)
    request.once('close', clear)
  })
}
