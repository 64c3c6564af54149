import {program} from '../support/needs.js'
import type {Certificate} from './certificate.js'
import type {Service} from './service.js'
import {answersHttp, answersTcp, startServer} from './supervised.js'

/**
 * Google Cloud Storage in memory, without checks of credentials.
 * @param certificate with which it speaks https, and plays storage.googleapis.com.
 */
export async function startFakeGcsServer({certificate}: {certificate?: Certificate} = {}): Promise<Service> {
  const scheme = certificate ? 'https' : 'http'
  const server = await startServer({
    name: 'fake-gcs-server',
    command: port => [
      program('fake-gcs-server'),
      ...['-scheme', scheme, '-host', '127.0.0.1', '-port', String(port)],
      ...['-backend', 'memory'],
      ...(certificate
        ? [
            ...['-cert-location', certificate.certificateFile, '-private-key-location', certificate.keyFile],
            ...['-public-host', 'storage.googleapis.com', '-external-url', 'https://storage.googleapis.com'],
          ]
        : ['-public-host', `127.0.0.1:${port}`, '-external-url', `http://127.0.0.1:${port}`]),
    ],
    answers: port => (certificate ? answersTcp(port) : answersHttp(port, '/_internal/healthcheck')),
  })
  return {...server, url: `${scheme}://127.0.0.1:${server.port}`}
}
