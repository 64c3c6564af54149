import assert from 'node:assert/strict'
import {once} from 'node:events'
import {Agent} from 'node:http'
import {createServer, type Socket} from 'node:net'
import type {AddressInfo} from 'node:net'
import {describe, it} from 'node:test'
import {DirectConnections} from '../../src/lib/storage/s3/direct-connections.js'

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
      answer(/^(?:HEAD|GET) (\S+) HTTP\/1\.1\r\n/.exec(text)?.[1] ?? text, socket)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const {port} = server.address() as AddressInfo
  const address = {protocol: 'http:', hostname: '127.0.0.1', port: String(port)}
  const limits = {connectionTimeout: 60_000, socketTimeout}
  const connections = new DirectConnections(new Agent({keepAlive: true, maxSockets}), address, limits)
  const by =
    (method: 'GET' | 'HEAD') =>
    (pathname: string, headers: Record<string, string> = {}) =>
      connections.ask({
        method,
        address: {...address, host: `127.0.0.1:${port}`, pathname, search: ''},
        headers,
      })
  return {
    ...{sockets, ask: by('HEAD'), get: by('GET')},
    [Symbol.asyncDispose]: async () => {
      connections.destroy()
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

describe('What has a small answer, on connections of its own', () => {
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

  it('takes bodies of any bytes in any pieces, and heads, over the same connections', async () => {
    const all = Buffer.concat([
      Buffer.from('\r\n\r\nHTTP/1.1 200 OK\r\n\r\n'),
      Buffer.from(Array.from({length: 256}, (_, byte) => byte)),
    ])
    const whole = Buffer.concat([Buffer.from(kept.replace(': 7', `: ${all.length}`)), all])
    const inPieces = (socket: Socket, size: number, from = 0) => {
      socket.write(whole.subarray(from, from + size))
      if (from + size < whole.length) setImmediate(() => inPieces(socket, size, from + size))
    }
    const answers: Record<string, Answer> = {
      '/head': (_, socket) => socket.write(kept),
      '/at-once': (_, socket) => socket.write(whole),
      '/bytes': (_, socket) => inPieces(socket, 1),
      '/some': (_, socket) => inPieces(socket, 100),
      '/empty': (_, socket) => socket.write(kept.replace(': 7', ': 0')),
    }
    await using service = await startService((path, socket) => answers[path]?.(path, socket), {maxSockets: 2})
    const asked = Object.keys(answers).flatMap(path => [path, path])
    const results = await Promise.all(
      asked.map(path => (path === '/head' ? service.ask(path) : service.get(path))),
    )
    for (const [index, {statusCode, headers, body}] of results.entries()) {
      const path = asked[index] ?? ''
      assert.equal(statusCode, 200)
      assert.equal(headers['etag'], '"ab"')
      assert.deepEqual(body, ['/head', '/empty'].includes(path) ? Buffer.alloc(0) : all, path)
    }
    assert.equal(service.sockets.length, 2)
  })

  it('gives up one question where a body is cut, has another length, or is not small', async () => {
    const headOf = (header: string, status = '200 OK') => `HTTP/1.1 ${status}\r\n${header}\r\n\r\n`
    const answers: Record<string, string> = {
      '/longer': headOf('Content-Length: 7') + 'contents',
      '/many': headOf('Content-Length: 131073') + 'content',
      '/two-lengths': headOf('Content-Length: 7\r\nContent-Length: 7') + 'content',
      '/below-zero': headOf('Content-Length: -7') + 'content',
      '/no-length': headOf('ETag: "ab"') + 'content',
      '/chunked': headOf('Transfer-Encoding: chunked') + '7\r\ncontent\r\n0\r\n\r\n',
      '/both': headOf('Content-Length: 7\r\nTransfer-Encoding: chunked') + '7\r\ncontent\r\n0\r\n\r\n',
      '/early-hints': headOf('Link: x', '103 Early Hints'),
      '/no-content': headOf('ETag: "ab"', '204 No Content'),
      '/not-modified': headOf('Content-Length: 7', '304 Not Modified'),
    }
    const good = `${kept}content`
    await using service = await startService(
      (path, socket) => {
        if (path === '/cut') socket.end(good.slice(0, -3))
        else if (path === '/reset') socket.write(good.slice(0, -3), () => socket.resetAndDestroy())
        else socket.write(answers[path] ?? good)
      },
      {maxSockets: 1},
    )
    const paths = ['/cut', '/reset', ...Object.keys(answers)].flatMap(path => [path, '/good'])
    const results = await Promise.allSettled(paths.map(path => service.get(path)))
    for (const [index, result] of results.entries()) {
      if (paths[index] !== '/good') assert.equal(result.status, 'rejected', paths[index])
      else assert.equal(result.status === 'fulfilled' && result.value.body.toString(), 'content')
    }
    assert.equal(service.sockets.length, paths.length / 2 + 1)
  })

  it('leaves a connection on which something comes while nothing is asked', async () => {
    await using service = await startService((_, socket) => socket.write(`${kept}content`))
    await service.get('/a')
    const [first] = service.sockets
    assert.ok(first)
    first.write(`${kept}another`)
    await once(first, 'close')
    assert.equal((await service.get('/b')).body.toString(), 'content')
    assert.equal(service.sockets.length, 2)
  })
})
