import assert from 'node:assert/strict'
import {createHash, randomBytes} from 'node:crypto'
import {once} from 'node:events'
import {Agent, createServer, request, type IncomingMessage, type RequestListener} from 'node:http'
import {text} from 'node:stream/consumers'
import {describe, it} from 'node:test'
import {startFaultProxy, s3Error} from './fault-proxy.js'

/** A target on loopback: echoes what is put, answers 100,000 bytes to the rest. */
async function startTarget(
  listener?: RequestListener,
): Promise<AsyncDisposable & {url: string; received: string[]}> {
  const received: string[] = []
  const server = createServer((incoming, answer) => {
    received.push(`${incoming.method} ${incoming.url} ${incoming.headers.host}`)
    if (listener) listener(incoming, answer)
    else if (incoming.method === 'PUT') incoming.pipe(answer)
    else answer.end('x'.repeat(100_000))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const {port} = server.address() as {port: number}
  return {
    url: `http://127.0.0.1:${port}`,
    received,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise(resolve => server.close(resolve))
    },
  }
}

const codeOf = (error: unknown): string =>
  String((error as {cause?: {code?: string}}).cause?.code ?? (error as {code?: string}).code)

describe('a fault proxy', () => {
  it('passes requests and answers on as they are', async () => {
    await using target = await startTarget()
    await using proxy = await startFaultProxy(`${target.url}/base`)
    assert.match(proxy.url, /\/base$/)
    const body = randomBytes(3_000_000)
    const answer = await fetch(`${proxy.url}/a%2Fb?c=d`, {method: 'PUT', body})
    const bytes = Buffer.from(await answer.arrayBuffer())
    const digest = (of: Buffer) => createHash('sha256').update(of).digest('hex')
    assert.equal(digest(bytes), digest(body))
    assert.deepEqual(target.received, [`PUT /base/a%2Fb?c=d 127.0.0.1:${proxy.port}`])
    assert.equal(proxy.requests[0]?.path, '/base/a%2Fb?c=d')
  })

  it('leaves 100 Continue to the target', async () => {
    await using target = await startTarget()
    await using proxy = await startFaultProxy(target.url)
    const outgoing = request(`${proxy.url}/x`, {method: 'PUT', headers: {expect: '100-continue'}})
    outgoing.flushHeaders()
    await once(outgoing, 'continue')
    outgoing.end('body')
    const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
    assert.equal(await text(answer), 'body')
  })

  it('carries 64 connections that stay open through a delay', async () => {
    await using target = await startTarget((_, answer) => answer.end('ok'))
    await using proxy = await startFaultProxy(target.url, {delayMs: 20})
    const agent = new Agent({keepAlive: true, maxSockets: 64})
    const get = () =>
      new Promise<number | undefined>((resolve, reject) => {
        request(proxy.url, {agent}, answer => {
          answer.resume().once('end', () => resolve(answer.statusCode))
        })
          .once('error', reject)
          .end()
      })
    const workers = Array.from({length: 64}, async () => {
      for (let turn = 0; turn < 20; turn += 1) assert.equal(await get(), 200)
    })
    await Promise.all(workers)
    assert.equal(proxy.requests.length, 64 * 20)
    agent.destroy()
  })

  it('answers itself, for the requests of a rule only', async () => {
    await using target = await startTarget()
    await using proxy = await startFaultProxy(target.url)
    proxy.faults = [{method: 'GET', path: /^\/busy/, first: 2, fault: s3Error(503, 'SlowDown')}]
    const statuses: number[] = []
    for (const path of ['/busy', '/other', '/busy', '/busy']) {
      const answer = await fetch(proxy.url + path)
      statuses.push(answer.status)
      const body = await answer.text()
      assert.equal(body.includes('<Code>SlowDown</Code>'), answer.status === 503)
    }
    assert.deepEqual(statuses, [503, 200, 503, 200])
    assert.equal(target.received.length, 2)
    assert.deepEqual(
      proxy.requests.map(seen => seen.fault),
      ['answer', undefined, 'answer', undefined],
    )
  })

  it('answers an upload before it has been read', async () => {
    await using target = await startTarget()
    await using proxy = await startFaultProxy(target.url, {faults: [{fault: {kind: 'answer', status: 403}}]})
    const answer = await fetch(proxy.url, {method: 'PUT', body: randomBytes(2_000_000)})
    assert.equal(answer.status, 403)
    assert.deepEqual(target.received, [])
  })

  it('resets before the target hears of it, at the n-th request', async () => {
    await using target = await startTarget()
    await using proxy = await startFaultProxy(target.url, {faults: [{nth: 2, fault: {kind: 'reset'}}]})
    assert.equal((await fetch(proxy.url)).status, 200)
    await assert.rejects(fetch(proxy.url), error => codeOf(error) === 'ECONNRESET')
    assert.equal((await fetch(proxy.url)).status, 200)
    assert.equal(target.received.length, 2)
  })

  for (const kind of ['truncate', 'reset'] as const) {
    it(`breaks an answer in the middle: ${kind}`, async () => {
      await using target = await startTarget()
      await using proxy = await startFaultProxy(target.url, {faults: [{fault: {kind, afterBytes: 5000}}]})
      let read = 0
      const reading = (async () => {
        const answer = await fetch(proxy.url)
        assert.equal(answer.status, 200)
        for await (const chunk of answer.body!) read += (chunk as Uint8Array).length
      })()
      await assert.rejects(reading, error => /terminated|other side closed/.test(String(error)))
      if (kind === 'truncate') assert.equal(read, 5000)
      assert.ok(read <= 5000)
    })
  }

  it('cuts an upload after so many bytes, of which the target sees no more', async () => {
    let arrived = 0
    let broken: (() => void) | undefined
    const isBroken = new Promise<void>(resolve => (broken = resolve))
    await using target = await startTarget(incoming => {
      incoming.on('data', (chunk: Buffer) => (arrived += chunk.length))
      incoming.on('error', () => broken?.())
    })
    await using proxy = await startFaultProxy(target.url, {
      faults: [{fault: {kind: 'cut-upload', afterBytes: 70_000}}],
    })
    await assert.rejects(fetch(proxy.url, {method: 'PUT', body: randomBytes(1_000_000)}))
    await isBroken
    assert.ok(arrived <= 70_000)
  })

  it('loses the answer to what has been done', async () => {
    await using target = await startTarget()
    await using proxy = await startFaultProxy(target.url, {
      faults: [{method: 'DELETE', fault: {kind: 'lose-answer'}}],
    })
    await assert.rejects(fetch(proxy.url, {method: 'DELETE'}), error => codeOf(error) === 'ECONNRESET')
    assert.equal(target.received.length, 1)
  })

  it('hangs until the client gives up, and ends with the proxy', async () => {
    await using target = await startTarget()
    const proxy = await startFaultProxy(target.url, {faults: [{fault: {kind: 'hang'}}]})
    await assert.rejects(fetch(proxy.url, {signal: AbortSignal.timeout(100)}), {name: 'TimeoutError'})
    const hanging = assert.rejects(fetch(proxy.url))
    while (proxy.requests.length < 2) await new Promise(resolve => setTimeout(resolve, 10))
    await proxy[Symbol.asyncDispose]()
    await hanging
    assert.deepEqual(target.received, [])
  })

  it('has the same luck with the same seed', async () => {
    await using target = await startTarget()
    const run = async (seed: number) => {
      const faults = [{probability: 0.5, fault: {kind: 'answer', status: 500} as const}]
      await using proxy = await startFaultProxy(target.url, {seed, faults})
      const statuses: number[] = []
      for (let turn = 0; turn < 20; turn += 1) {
        const answer = await fetch(proxy.url)
        await answer.arrayBuffer()
        statuses.push(answer.status)
      }
      return statuses.join(' ')
    }
    assert.equal(await run(7), await run(7))
    assert.match(await run(7), /200.*500|500.*200/)
  })

  it('breaks the connection when nobody is behind it', async () => {
    const target = await startTarget()
    await using proxy = await startFaultProxy(target.url)
    await target[Symbol.asyncDispose]()
    await assert.rejects(fetch(proxy.url), error => codeOf(error) === 'ECONNRESET')
  })
})
