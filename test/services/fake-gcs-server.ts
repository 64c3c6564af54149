import {program} from '../support/needs.js'
import type {Service} from './service.js'
import {answersHttp, startServer} from './supervised.js'

/** Google Cloud Storage in memory, without checks of credentials. */
export async function startFakeGcsServer(): Promise<Service> {
  const server = await startServer({
    name: 'fake-gcs-server',
    command: port => [
      program('fake-gcs-server'),
      ...['-scheme', 'http', '-host', '127.0.0.1', '-port', String(port)],
      ...['-backend', 'memory', '-public-host', `127.0.0.1:${port}`],
      ...['-external-url', `http://127.0.0.1:${port}`],
    ],
    answers: port => answersHttp(port, '/_internal/healthcheck'),
  })
  return {...server, url: `http://127.0.0.1:${server.port}`}
}
