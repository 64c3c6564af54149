import {once} from 'node:events'
import {readFile} from 'node:fs/promises'
import {createServer} from 'node:https'
import type {AddressInfo} from 'node:net'
import {text} from 'node:stream/consumers'
import type {Certificate} from '../services/certificate.js'

export interface JsonRequest {
  readonly host: string
  readonly path: string
  readonly body: string
}

export interface JsonServer extends AsyncDisposable {
  readonly port: number
}

/** Plays a service of https on loopback that answers with JSON: status 400 where that has an `error`. */
export async function startJsonServer(
  {certificateFile, keyFile}: Certificate,
  answerTo: (request: JsonRequest) => object,
): Promise<JsonServer> {
  const [cert, key] = await Promise.all([readFile(certificateFile), readFile(keyFile)])
  const server = createServer({cert, key}, (request, answer) => {
    const {host = ''} = request.headers
    const {pathname} = new URL(request.url ?? '', `https://${host}`)
    void text(request).then(body => {
      const content = answerTo({host, path: pathname, body})
      answer.statusCode = 'error' in content ? 400 : 200
      answer.setHeader('content-type', 'application/json').end(JSON.stringify(content))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}
