import assert from 'node:assert/strict'
import {once} from 'node:events'
import {writeFile} from 'node:fs/promises'
import {createServer, request as httpRequest, type IncomingHttpHeaders} from 'node:http'
import {after, before, describe, it} from 'node:test'
import {liveServer, testPassword, type LiveServer} from '../support/live-server.js'
import {needs, program} from '../support/needs.js'
import {runProgram} from '../support/run.js'
import {tempDir} from '../support/temp.js'
import {buildWheel, writeBuilt} from '../support/wheels.js'

interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly status: number
}

/** Passes everything on, and keeps what was asked. */
async function recorder(target: string) {
  const seen: Seen[] = []
  const server = createServer((incoming, answer) => {
    const {method = 'GET', url = '/', headers} = incoming
    const outgoing = httpRequest(target + url, {method, headers}, response => {
      seen.push({method, path: url, headers, status: response.statusCode ?? 0})
      answer.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(answer)
    })
    outgoing.on('error', () => answer.destroy())
    incoming.pipe(outgoing)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    [Symbol.asyncDispose]: () => {
      server.closeAllConnections()
      server.close()
      return Promise.resolve()
    },
  }
}

/** acme-std 1.0 and 2.0, which needs acme-dep; 2.0 is yanked. Anybody may read. */
describe('what pip and uv make of the pages', needs('pip', 'uv', 'twine'), () => {
  let temp: Awaited<ReturnType<typeof tempDir>>
  let server: LiveServer
  let between: Awaited<ReturnType<typeof recorder>>

  before(async () => {
    temp = await tempDir()
    server = await liveServer(temp.path, {'pypi.default_read': 'everyone'})
    between = await recorder(server.url)
    const files = await Promise.all(
      [
        buildWheel({name: 'acme-dep', version: '1.0'}),
        buildWheel({name: 'acme-std', version: '1.0', requiresDist: ['acme-dep']}),
        buildWheel({name: 'acme-std', version: '2.0', requiresDist: ['acme-dep']}),
      ].map(built => writeBuilt(temp.join('dist'), built)),
    )
    const published = await runProgram(
      program('twine'),
      ['upload', '--repository-url', `${server.url}/simple/`, '-u', 'writer', '-p', testPassword, ...files],
      {cwd: temp.path},
    )
    assert.equal(published.code, 0, published.stdout + published.stderr)
    const yanked = await fetch(`${server.url}/api/project/acme-std/yanked/2.0`, {
      method: 'PUT',
      headers: {authorization: `Basic ${Buffer.from(`writer:${testPassword}`).toString('base64')}`},
      body: new URLSearchParams({reason: 'eats data'}),
    })
    assert.equal(yanked.status, 200)
  })
  after(async () => {
    await between[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
    await temp[Symbol.asyncDispose]()
  })

  const pip = (...args: string[]) =>
    runProgram(
      program('pip'),
      [
        ...['install', '--dry-run', '--ignore-installed', '--no-cache-dir', '--no-input'],
        ...['--target', temp.join('site'), '--index-url', `${between.url}/simple/`, ...args],
      ],
      {cwd: temp.path},
    )
  const uv = async (requirement: string, ...args: string[]) => {
    await writeFile(temp.join('in.txt'), `${requirement}\n`)
    return runProgram(
      program('uv'),
      ['pip', 'compile', 'in.txt', '--no-header', '--index-url', `${between.url}/simple/`, ...args],
      {cwd: temp.path, env: {UV_CACHE_DIR: temp.join('uv-cache')}},
    )
  }
  const asked = () => between.seen.splice(0)
  const wheels = (requests: readonly Seen[]) => requests.filter(({path}) => path.endsWith('.whl'))
  const metadata = (requests: readonly Seen[]) => requests.filter(({path}) => path.endsWith('.metadata'))

  it('uv resolves by metadata alone, past the yanked release, and finds its pages unchanged the next time', async () => {
    asked()
    const first = await uv('acme-std')
    assert.equal(first.code, 0, first.stderr)
    assert.match(first.stdout, /^acme-std==1\.0$/m)
    assert.match(first.stdout, /^acme-dep==1\.0$/m)
    const requests = asked()
    assert.deepEqual(wheels(requests), [])
    assert.ok(metadata(requests).every(({status}) => status === 200))
    assert.equal(metadata(requests).length, 2)
    const second = await uv('acme-std', '--refresh')
    assert.equal(second.code, 0, second.stderr)
    const pages = asked().filter(({path}) => path.startsWith('/simple/'))
    assert.ok(pages.length > 0)
    for (const page of pages) assert.deepEqual([page.path, page.status], [page.path, 304])
  })

  it('a pin gets the yanked release, with the reason', async () => {
    const pinned = await pip('acme-std==2.0')
    assert.equal(pinned.code, 0, pinned.stderr)
    assert.match(pinned.stdout + pinned.stderr, /eats data/)
    const byUv = await uv('acme-std==2.0')
    assert.equal(byUv.code, 0, byUv.stderr)
    assert.match(byUv.stderr, /eats data/)
  })

  it('pip resolves by metadata, and knows when files were published', async () => {
    asked()
    const done = await pip('acme-std')
    assert.equal(done.code, 0, done.stderr)
    assert.match(done.stdout, /Would install acme-dep-1\.0 acme-std-1\.0/)
    assert.equal(metadata(asked()).length, 2)
    const future = await pip('acme-std', '--uploaded-prior-to', '2099-01-01')
    assert.equal(future.code, 0, future.stderr)
    const past = await pip('acme-std', '--uploaded-prior-to', '2001-01-01')
    assert.notEqual(past.code, 0)
    assert.doesNotMatch(past.stderr, /upload-time/)
  })
})
