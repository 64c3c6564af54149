import assert from 'node:assert/strict'
import {once} from 'node:events'
import {Agent} from 'node:http'
import {createServer, type Socket} from 'node:net'
import type {AddressInfo} from 'node:net'
import {describe, it} from 'node:test'
import {HeadConnections} from '../../src/lib/storage/s3/head-connections.js'

const kept = 'HTTP/1.1 200 OK\r\nETag: "ab"\r\nX-Amz-Meta-Name:  lib \r\nContent-Length: 7\r\n\r\n'
const closing = kept.replace('\r\n', '\r\nConnection: close\r\n')
type Answer = (path: string, socket: Socket) => void

/** A service that answers each request as `answer` does, and counts connections. */
async function startService(answer: Answer, {maxSockets = 4, socketTimeout = 60_000} = {}) {
  const sockets: Socket[] = []
  const server = createServer(socket => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer(/^HEAD (\S+) HTTP\/1\.1\r\n/.exec(text)?.[1] ?? text, socket)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const {port} = server.address() as AddressInfo
  const address = {protocol: 'http:', hostname: '127.0.0.1', port: String(port)}
  const limits = {connectionTimeout: 60_000, socketTimeout}
  const heads = new HeadConnections(new Agent({keepAlive: true, maxSockets}), address, limits)
  const ask = (pathname: string, headers: Record<string, string> = {}) =>
    heads.ask({address: {...address, host: `127.0.0.1:${port}`, pathname, search: ''}, headers})
  return {
    ...{sockets, ask},
    [Symbol.asyncDispose]: async () => {
      heads.destroy()
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

describe('HEAD on connections of its own', () => {
  it('takes no more connections than it may, and an answer in pieces', async () => {
    await using service = await startService(
      (_, socket) => {
        socket.write(kept.slice(0, 30))
        setImmediate(() => socket.write(kept.slice(30)))
      },
      {maxSockets: 3},
    )
    const answers = await Promise.all(Array.from({length: 20}, (_, index) => service.ask(`/${index}`)))
    for (const {statusCode, headers} of answers) {
      assert.equal(statusCode, 200)
      assert.deepEqual(headers, {etag: '"ab"', 'x-amz-meta-name': 'lib', 'content-length': '7'})
    }
    assert.equal(service.sockets.length, 3)
  })

  it('goes on over another connection where the service closes one', async () => {
    await using service = await startService((_, socket) => socket.write(closing), {maxSockets: 1})
    const answers = await Promise.all(['/a', '/b', '/c'].map(path => service.ask(path)))
    assert.deepEqual(
      answers.map(({statusCode}) => statusCode),
      [200, 200, 200],
    )
    assert.equal(service.sockets.length, 3)
  })

  it('leaves a connection that the service closes while nothing is asked', async () => {
    await using service = await startService((_, socket) => socket.write(kept))
    await service.ask('/a')
    const [first] = service.sockets
    assert.ok(first)
    first.end()
    await once(first, 'close') // by the client, which has seen the end
    assert.equal((await service.ask('/b')).statusCode, 200)
    assert.equal(service.sockets.length, 2)
  })

  it('gives up one question where an answer is cut, none, or has more than a head', async () => {
    const answers: Record<string, Answer> = {
      '/cut': (_, socket) => socket.end(kept.slice(0, 30)),
      '/reset': (_, socket) => socket.resetAndDestroy(),
      '/none': (_, socket) => socket.write('SSH-2.0-x\r\n\r\n'),
      '/old': (_, socket) => socket.write('HTTP/0.9 200 OK\r\n\r\n'),
      '/more': (_, socket) => socket.write(`${kept}content`),
      '/endless': (_, socket) => socket.write(`HTTP/1.1 200 OK\r\nx: ${'x'.repeat(1 << 17)}`),
    }
    await using service = await startService(
      (path, socket) => (answers[path] ?? (() => socket.write(kept)))(path, socket),
      {maxSockets: 1},
    )
    const paths = Object.keys(answers).flatMap(path => [path, '/good'])
    const results = await Promise.allSettled(paths.map(path => service.ask(path)))
    for (const [index, {status}] of results.entries()) {
      assert.equal(status, paths[index] === '/good' ? 'fulfilled' : 'rejected', paths[index])
    }
  })

  it('does not wait for ever', async () => {
    await using service = await startService(() => undefined, {socketTimeout: 50, maxSockets: 1})
    const results = await Promise.allSettled(['/a', '/b'].map(path => service.ask(path)))
    assert.deepEqual(
      results.map(({status}) => status),
      ['rejected', 'rejected'],
    )
  })

  it('sends no header that would be two', async () => {
    await using service = await startService((_, socket) => socket.write(kept))
    await assert.rejects(service.ask('/', {'user-agent': 'a\r\nx: y'}), /user-agent/)
    assert.equal(service.sockets.length, 0)
  })
})
