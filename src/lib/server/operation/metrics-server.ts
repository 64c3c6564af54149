import {once} from 'node:events'
import {createServer, type Server} from 'node:http'
import type {AddressInfo} from 'node:net'
import {ListenFailed, reasonOf} from '../listen.js'
import {formatMetrics, metricsType, type Counts} from './metrics.js'

/**
 * Answers `/metrics` on a port of its own, which no client of the index can reach.
 * @param counts of all processes.
 * @throws {ListenFailed}
 */
export async function openMetricsServer(
  {host, port}: {readonly host: string; readonly port: number},
  counts: () => Promise<readonly Counts[]>,
): Promise<{readonly url: string; readonly close: () => void}> {
  const server = createServer((request, response) => {
    if (
      request.url?.split('?')[0] !== '/metrics' ||
      (request.method !== 'GET' && request.method !== 'HEAD')
    ) {
      response.writeHead(404).end()
      return
    }
    counts()
      .then(formatMetrics)
      .then(
        text => response.writeHead(200, {'content-type': metricsType, 'cache-control': 'no-store'}).end(text),
        () => response.writeHead(503).end(),
      )
  })
  await listen(server, host, port)
  const address = server.address() as AddressInfo
  return {
    url: `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}/metrics`,
    close: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  try {
    server.listen(port, host)
    await once(server, 'listening')
  } catch (error) {
    const message = `metrics.port: ${host}:${port}: can not listen there: ${reasonOf(error)}`
    throw new ListenFailed(message, {cause: error})
  }
}
