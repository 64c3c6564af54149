import {createHash} from 'node:crypto'
import {once} from 'node:events'
import {createServer, type IncomingMessage, type ServerResponse} from 'node:http'
import type {AddressInfo} from 'node:net'
import {buildWheel} from './wheels.js'

type Handler = (request: IncomingMessage, answer: ServerResponse) => void

/** A static index on loopback whose every answer a test can replace by a fault. */
export interface FakeUpstream extends AsyncDisposable {
  /** `http://127.0.0.1:PORT`. */
  readonly url: string
  /** Paths that were asked for, in order. */
  readonly requests: string[]
  /** Headers of those requests. */
  readonly headers: IncomingMessage['headers'][]
  /** By path, without the query. What is not there is answered 404. */
  readonly answers: Map<string, Handler>
  /** A project of wheels, on a PEP 691 page, with PEP 658 metadata. `members` are merged into each file of the page. */
  addProject(
    name: string,
    versions: readonly string[],
    members?: Readonly<Record<string, unknown>>,
  ): Promise<Map<string, Buffer>>
  /** Everybody is cut off and nobody is answered any more. */
  stop(): Promise<void>
}

export async function fakeUpstream(): Promise<FakeUpstream> {
  const requests: string[] = []
  const headers: IncomingMessage['headers'][] = []
  const answers = new Map<string, Handler>()
  const server = createServer((request, answer) => {
    const path = (request.url ?? '').split('?')[0] ?? ''
    requests.push(path)
    headers.push(request.headers)
    const handler = answers.get(path)
    if (handler) handler(request, answer)
    else answer.writeHead(404).end('none')
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const stop = async (): Promise<void> => {
    server.closeAllConnections()
    if (server.listening) await new Promise(resolve => server.close(resolve))
  }
  return {
    url,
    requests,
    headers,
    answers,
    stop,
    addProject: async (name, versions, members = {}) => {
      const built = new Map<string, Buffer>()
      const files: unknown[] = []
      for (const version of versions) {
        const {filename, bytes} = await buildWheel({name, version})
        const metadata = `Metadata-Version: 2.1\nName: ${name}\nVersion: ${version}\n`
        built.set(filename, bytes)
        answers.set(`/files/${filename}`, sends(bytes))
        answers.set(`/files/${filename}.metadata`, sends(metadata))
        files.push({
          filename,
          url: `../../files/${filename}`,
          hashes: {sha256: sha256Of(bytes)},
          size: bytes.length,
          'upload-time': '2020-01-02T03:04:05.678901Z',
          'requires-python': '>=3.6',
          yanked: false,
          'core-metadata': {sha256: sha256Of(metadata)},
          ...members,
        })
      }
      answers.set(`/simple/${name}/`, sendsPage(name, files))
      return built
    },
    [Symbol.asyncDispose]: stop,
  }
}

export const sends =
  (body: string | Buffer, head: Readonly<Record<string, string>> = {}): Handler =>
  (_request, answer) =>
    answer.writeHead(200, head).end(body)

export const sendsPage = (
  name: string,
  files: readonly unknown[],
  head: Record<string, string> = {},
): Handler =>
  sends(JSON.stringify({meta: {'api-version': '1.1'}, name, versions: [], files}), {
    'content-type': 'application/vnd.pypi.simple.v1+json',
    'cache-control': 'no-cache',
    ...head,
  })

export const sendsHtml = (body: string, head: Record<string, string> = {}): Handler =>
  sends(`<!DOCTYPE html><html><body>${body}</body></html>`, {
    'content-type': 'text/html; charset=utf-8',
    'cache-control': 'no-cache',
    ...head,
  })

export const redirectsTo =
  (location: string): Handler =>
  (_request, answer) =>
    answer.writeHead(302, {location}).end()

/** Promises all of `body` and breaks off in the middle of it. */
export const sendsHalf =
  (body: Buffer): Handler =>
  (_request, answer) => {
    answer.writeHead(200, {'content-length': body.length})
    answer.write(body.subarray(0, body.length / 2), () => answer.destroy())
  }

export const sha256Of = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex')
