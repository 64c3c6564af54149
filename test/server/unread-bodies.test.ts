import assert from 'node:assert/strict'
import {once} from 'node:events'
import {connect, type AddressInfo, type Socket} from 'node:net'
import {after, before, describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import type {FastifyInstance} from 'fastify'
import {createFront} from '../../src/lib/server/front.js'
import type {UnreadBodyLimits} from '../../src/lib/server/http/unread-body.js'

const frontWith = (limits: UnreadBodyLimits) =>
  createFront((_request, response) => response.end('a page'), limits)

describe('a body that nobody waits for', () => {
  const hasty = frontWith({uploadMs: 900, otherMs: 300})
  const patientMs = 2000 // enough for a body of which the rest is sent at once, however busy the machine is
  const patient = frontWith({uploadMs: patientMs, otherMs: patientMs})
  const fronts = [hasty, patient]
  before(() => Promise.all(fronts.map(front => front.listen({host: '127.0.0.1', port: 0}))))
  after(() => Promise.all(fronts.map(front => front.close())))

  const open = async (front: FastifyInstance): Promise<Socket> => {
    const socket = connect((front.server.address() as AddressInfo).port, '127.0.0.1').setEncoding('utf8')
    socket.on('error', () => undefined)
    await once(socket, 'connect')
    return socket
  }
  const answerTo = async (socket: Socket, request: string): Promise<string> => {
    socket.write(request)
    const [answer] = (await once(socket, 'data')) as [string]
    return answer
  }
  const drip = (socket: Socket, text: string): NodeJS.Timeout => {
    const timer = setInterval(() => socket.write(text), 20)
    socket.on('close', () => clearInterval(timer))
    return timer
  }

  for (const [what, begin, piece] of [
    ['a page, byte by byte', 'GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n', 'x'],
    ['a page, in chunks', 'GET / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n', '1\r\nx\r\n'],
    ['an upload that was refused', 'POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1000000\r\n\r\n', 'x'],
    ['a page, and never sent', 'GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\n', ''],
  ] as const) {
    it(`does not hold a connection for ever: of ${what}`, {timeout: 30_000}, async () => {
      const socket = await open(hasty)
      assert.match(await answerTo(socket, begin), /^HTTP\/1\.1 200 /)
      if (piece !== '') drip(socket, piece)
      await new Promise(resolve => socket.once('close', resolve)) // with a reset as well
    })
  }

  it('may take its time, and the connection is used again', async () => {
    const socket = await open(patient)
    await answerTo(socket, 'GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 6\r\n\r\nabc')
    socket.write('def')
    await sleep(patientMs + 100)
    assert.match(await answerTo(socket, 'GET / HTTP/1.1\r\nhost: a\r\n\r\n'), /^HTTP\/1\.1 200 /)
    socket.destroy()
  })
})
