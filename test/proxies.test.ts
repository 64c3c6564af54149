import assert from 'node:assert/strict'
import {once} from 'node:events'
import {createServer, get, type IncomingMessage} from 'node:http'
import type {AddressInfo} from 'node:net'
import {text} from 'node:stream/consumers'
import {describe, it} from 'node:test'
import {agentFor, environmentProxy} from '../src/lib/proxies.js'
import {startForwardProxy} from './services/forward-proxy.js'

describe('the proxy that the environment names', () => {
  const proxy = 'http://proxy:3128'

  it('is that of the scheme, in either case', () => {
    assert.equal(environmentProxy('https', 'x.example', {HTTPS_PROXY: proxy}), proxy)
    assert.equal(environmentProxy('https', 'x.example', {https_proxy: proxy}), proxy)
    assert.equal(environmentProxy('http', 'x.example', {HTTPS_PROXY: proxy}), undefined)
    assert.equal(environmentProxy('http', 'x.example', {HTTP_PROXY: ''}), undefined)
  })

  it('is left out for what NO_PROXY names', () => {
    const direct = (host: string, names: string) =>
      environmentProxy('http', host, {http_proxy: proxy, no_proxy: names}) === undefined
    for (const names of ['x.example', 'a.example, x.example', '.example', '*.example', 'example', '*']) {
      assert.ok(direct('x.example', names), names)
    }
    for (const names of ['', 'y.example', 'ample', 'x.example.org', ' , ']) {
      assert.ok(!direct('x.example', names), names)
    }
  })

  it('is asked for the whole address, also when it is given as host and port with a password', async () => {
    const server = createServer((request, answer) => answer.end(`${request.method} ${request.url}`))
    await once(server.listen(0, '127.0.0.1'), 'listening')
    await using forward = await startForwardProxy({password: 'p'})
    const agent = agentFor('http', forward.url.replace('http://', 'user:p@'), {})
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/there`
    try {
      const answer = await new Promise<IncomingMessage>((resolve, reject) => {
        get(url, {agent}, resolve).on('error', reject)
      })
      assert.equal(await text(answer), 'GET /there')
      assert.deepEqual(forward.requests, [`GET ${url}`])
    } finally {
      agent.destroy()
      server.close()
    }
  })
})
