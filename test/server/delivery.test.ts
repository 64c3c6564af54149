import assert from 'node:assert/strict'
import {createHash, randomBytes} from 'node:crypto'
import {once} from 'node:events'
import {readdir} from 'node:fs/promises'
import {request as httpRequest, type IncomingMessage} from 'node:http'
import {after, before, describe, it} from 'node:test'
import {DeleteObjectCommand, ListObjectsV2Command, S3Client} from '@aws-sdk/client-s3'
import {startFaultProxy, type FaultProxy} from '../services/fault-proxy.js'
import {startService, type Service} from '../services/index.js'
import {liveServer, testPassword, type LiveServer} from '../support/live-server.js'
import {needs, program} from '../support/needs.js'
import {runProgram} from '../support/run.js'
import {tempDir} from '../support/temp.js'
import {waitFor} from '../support/wait.js'
import {buildWheel, type BuiltFile} from '../support/wheels.js'
import {s3Settings} from './cloud-settings.js'
import {basic} from './installation.js'
import {uploadForm} from './upload-form.js'

const keys = {accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'}
const reader = basic('reader', testPassword)
const writer = basic('writer', testPassword)
const json = 'application/vnd.pypi.simple.v1+json'

type Temp = Awaited<ReturnType<typeof tempDir>>

/** A bucket of moto behind a proxy that can break, and servers on it. */
describe('files of a bucket', needs('moto'), () => {
  let moto: Service
  let proxy: FaultProxy
  let temp: Temp
  let wheel: BuiltFile
  let path: string
  let buckets = 0
  const settings = (more: Record<string, string> = {}) => ({
    ...s3Settings(proxy.url, keys),
    'storage.bucket': `packages-${(buckets += 1)}`,
    ...more,
  })
  /** A server on a bucket of its own that holds `wheel`. */
  const serve = async (more: Record<string, string> = {}, args: string[] = []): Promise<LiveServer> => {
    const dir = await tempDir()
    const server = await liveServer(dir.path, settings(more), args)
    await publish(server, wheel, 'big')
    return Object.assign(server, {
      [Symbol.asyncDispose]: async () => {
        server.process.kill('SIGTERM')
        if (server.process.exitCode === null) await once(server.process, 'exit')
        await dir[Symbol.asyncDispose]()
      },
    })
  }
  const publish = async (server: LiveServer, file: BuiltFile, name: string) => {
    const form = uploadForm(file, {name, version: '1.0'})
    const answer = await fetch(`${server.url}/simple/`, {
      method: 'POST',
      body: new Uint8Array(form.payload),
      headers: {authorization: writer, ...form.headers},
    })
    assert.equal(answer.status, 200, await answer.text())
  }
  const get = (server: LiveServer, where: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(server.url + where, {method, redirect: 'manual', headers: {authorization: reader, ...headers}})
  const bytesOf = async (answer: Response) => Buffer.from(await answer.arrayBuffer())
  /** A signed link with an Authorization beside it is refused by S3, and our passwords are none of its business. */
  const assertNoLoginThere = () => {
    const followed = proxy.requests.filter(
      ({path: at}) => at.includes('.whl') && at.includes('X-Amz-Signature'),
    )
    assert.notEqual(followed.length, 0)
    for (const {headers} of followed) assert.equal(headers['authorization'], undefined)
  }
  const objectReads = () =>
    proxy.requests.filter(({method, path: at}) => method === 'GET' && at.includes('.whl'))

  before(async () => {
    temp = await tempDir()
    moto = await startService('moto')
    proxy = await startFaultProxy(moto.url)
    wheel = await buildWheel({name: 'big', version: '1.0', files: {'big/data.bin': 3_000_000}})
    path = `/api/package/big/${wheel.filename}`
  })
  after(async () => {
    await proxy[Symbol.asyncDispose]()
    await moto[Symbol.asyncDispose]()
    await temp[Symbol.asyncDispose]()
  })

  describe('by redirect', () => {
    let server: LiveServer
    before(async () => (server = await serve({'pypi.default_read': 'authenticated'})))
    after(() => server[Symbol.asyncDispose]())

    it('come by a link that needs no login, lives a quarter of an hour, and that nothing keeps', async () => {
      const answer = await get(server, path)
      assert.equal(answer.status, 302)
      assert.match(answer.headers.get('cache-control') ?? '', /no-store/)
      const location = answer.headers.get('location') ?? ''
      assert.equal(new URL(location).searchParams.get('X-Amz-Expires'), '900')
      const followed = await fetch(location)
      assert.equal(followed.status, 200)
      assert.deepEqual(await bytesOf(followed), wheel.bytes)
    })
    it('are refused without the right to read them', async () => {
      assert.equal((await get(server, path, {authorization: ''})).status, 401)
      assert.equal((await get(server, path.replace('/big/', '/other/'))).status, 404)
    })
    it('are described and sent in parts by the server itself', async () => {
      const head = await get(server, path, {}, 'HEAD')
      assert.equal(head.status, 200)
      assert.equal(head.headers.get('content-length'), String(wheel.bytes.length))
      const etag = `"${createHash('sha256').update(wheel.bytes).digest('hex')}"`
      assert.equal(head.headers.get('etag'), etag)
      const part = await get(server, path, {range: 'bytes=-1000'})
      assert.equal(part.status, 206)
      assert.deepEqual(await bytesOf(part), wheel.bytes.subarray(-1000))
      assert.equal((await get(server, path, {'if-none-match': etag})).status, 304)
      assert.equal((await get(server, path, {'if-none-match': '"other"'})).status, 302)
    })
    it('that are lost in the bucket are soon no more listed, and 404', async () => {
      const lost = await buildWheel({name: 'lost', version: '1.0'})
      await publish(server, lost, 'lost')
      const where = `/api/package/lost/${lost.filename}`
      const link = new URL((await get(server, path)).headers.get('location') ?? '')
      const Bucket = link.pathname.split('/')[1] ?? ''
      const client = new S3Client({
        endpoint: moto.url,
        region: 'us-east-1',
        credentials: keys,
        forcePathStyle: true,
      })
      const {Contents = []} = await client.send(new ListObjectsV2Command({Bucket}))
      const found = Contents.find(({Key}) => Key?.endsWith(lost.filename))
      await client.send(new DeleteObjectCommand({Bucket, Key: found?.Key}))
      client.destroy()
      assert.equal((await get(server, where)).status, 302) // nobody has looked yet
      await waitFor('the list says so', async () => (await get(server, '/simple/lost/')).status === 404)
      assert.equal((await get(server, where)).status, 404)
    })
    it('pip installs, and gives the bucket no password', needs('pip'), async () => {
      proxy.requests.length = 0
      const target = temp.join('pip')
      const args = ['install', '--no-input', '--no-deps', '--target', target, '--index-url']
      const done = await runProgram(program('pip'), [...args, `${server.urlFor('reader')}/simple/`, 'big'], {
        cwd: temp.path,
      })
      assert.equal(done.code, 0, done.stderr)
      assert.ok((await readdir(target)).includes('big-1.0.dist-info'))
      assertNoLoginThere()
    })
    it('uv installs, and gives the bucket no password', needs('uv', 'python3'), async () => {
      proxy.requests.length = 0
      const target = temp.join('uv')
      const args = ['pip', 'install', '--no-deps', '--target', target, '--python', program('python3')]
      const done = await runProgram(
        program('uv'),
        [...args, '--default-index', `${server.urlFor('reader')}/simple/`, 'big'],
        {cwd: temp.path},
      )
      assert.equal(done.code, 0, done.stderr)
      assert.ok((await readdir(target)).includes('big-1.0.dist-info'))
      assertNoLoginThere()
    })
  })

  it('come by links that live as long as storage.expire_after says', async () => {
    await using server = await serve({'storage.expire_after': '77'})
    const location = new URL((await get(server, path)).headers.get('location') ?? '')
    assert.equal(location.searchParams.get('X-Amz-Expires'), '77')
  })

  describe('by links in pages', () => {
    let server: LiveServer
    before(async () => (server = await serve({'storage.redirect_urls': 'false'})))
    after(() => server[Symbol.asyncDispose]())
    const works = async (link: string) => {
      assert.ok(link.startsWith(proxy.url), link)
      assert.equal(new URL(link).searchParams.get('X-Amz-Expires'), '86400')
      assert.deepEqual(await bytesOf(await fetch(link)), wheel.bytes)
    }

    it('are fetched from the bucket, and checked, without this server', async () => {
      const html = await (await get(server, '/simple/big/')).text()
      const href = (/href="([^"]+)"/.exec(html)?.[1] ?? '').replaceAll('&amp;', '&')
      assert.match(href, /#sha256=[0-9a-f]{64}$/)
      assert.doesNotMatch(html, /data-(?:core-metadata|dist-info-metadata)/)
      await works(href)
      const page = (await (await get(server, '/simple/big/', {accept: json})).json()) as {
        files: {url: string; hashes: {sha256: string}}[]
      }
      assert.match(page.files[0]?.hashes.sha256 ?? '', /^[0-9a-f]{64}$/)
      await works(page.files[0]?.url ?? '')
    })
    it('are linked so by the other lists too', async () => {
      const api = (await (await get(server, '/api/package/big/')).json()) as {packages: {url: string}[]}
      await works(api.packages[0]?.url ?? '')
      const described = (await (await get(server, '/pypi/big/json')).json()) as {urls: {url: string}[]}
      await works(described.urls[0]?.url ?? '')
      const all = await (await get(server, '/packages/')).text()
      await works((/href="([^"]+)"/.exec(all)?.[1] ?? '').replaceAll('&amp;', '&'))
    })
    it('are linked anew while the links of before still live', async () => {
      await using brief = await serve({'storage.redirect_urls': 'false', 'storage.expire_after': '4'})
      const link = async () => /X-Amz-Date=(\w+)/.exec(await (await get(brief, '/simple/big/')).text())?.[1]
      const first = await link()
      await waitFor('another link', async () => (await link()) !== first)
    })
    it('pip installs with its hash', needs('pip'), async () => {
      const target = temp.join('pip-links')
      const args = ['install', '--no-input', '--no-deps', '--target', target, '--index-url']
      const done = await runProgram(program('pip'), [...args, `${server.urlFor('reader')}/simple/`, 'big'], {
        cwd: temp.path,
      })
      assert.equal(done.code, 0, done.stderr)
    })
  })

  describe('through the server', () => {
    let server: LiveServer
    before(async () => (server = await serve({'pypi.stream_files': 'true', 'pypi.package_max_age': '60'})))
    after(() => server[Symbol.asyncDispose]())

    it('come with length, digest, age and parts', async () => {
      const answer = await get(server, path)
      assert.equal(answer.status, 200)
      assert.equal(answer.headers.get('content-length'), String(wheel.bytes.length))
      assert.equal(answer.headers.get('cache-control'), 'private, max-age=60')
      assert.match(answer.headers.get('content-disposition') ?? '', /^attachment; filename="big-1\.0/)
      assert.deepEqual(await bytesOf(answer), wheel.bytes)
      const part = await get(server, path, {range: 'bytes=5-9'})
      assert.deepEqual(await bytesOf(part), wheel.bytes.subarray(5, 10))
      assert.equal((await get(server, path, {'if-none-match': answer.headers.get('etag') ?? ''})).status, 304)
      assert.equal((await get(server, path, {range: 'bytes=99999999-'})).status, 416)
    })
    it('that break off in the bucket never look whole', async () => {
      // each attempt of the server to go on breaks too
      proxy.faults = [{fault: {kind: 'reset', afterBytes: 100_000}, method: 'GET', path: '.whl'}]
      try {
        const answer = await get(server, path).catch(() => undefined)
        if (answer?.status === 200) await assert.rejects(bytesOf(answer))
        else assert.ok(answer === undefined || answer.status === 503, String(answer?.status))
      } finally {
        proxy.faults = []
      }
      assert.deepEqual(await bytesOf(await get(server, path)), wheel.bytes)
    })
    it('of a bucket that can not be reached are 503 for now', async () => {
      proxy.faults = [{fault: {kind: 'reset'}}]
      try {
        const answer = await get(server, path)
        assert.equal(answer.status, 503)
        assert.match(answer.headers.get('retry-after') ?? '', /^\d+$/)
      } finally {
        proxy.faults = []
      }
    })
  })

  describe('with a disk cache', () => {
    let server: LiveServer
    const cacheDir = () => temp.join('disk-cache')
    before(async () => {
      const more = {'storage.disk_cache.dir': cacheDir(), 'storage.disk_cache.max_size': '20MB'}
      server = await serve(more, ['--workers', '2'])
    })
    after(() => server[Symbol.asyncDispose]())
    const kept = async () =>
      (await readdir(cacheDir(), {recursive: true, withFileTypes: true})).filter(entry => entry.isFile())
    const untilFilled = () =>
      waitFor('nothing is being filled', async () =>
        (await kept()).every(({parentPath}) => !parentPath.endsWith('filling')),
      )

    it('are read from the bucket once, whoever asks, and then also while it is away', async () => {
      proxy.requests.length = 0
      assert.deepEqual(await bytesOf(await get(server, path)), wheel.bytes)
      await untilFilled()
      assert.equal((await kept()).length, 1)
      proxy.faults = [{fault: {kind: 'reset'}}]
      try {
        const answers = await Promise.all(Array.from({length: 12}, () => get(server, path).then(bytesOf)))
        for (const bytes of answers) assert.ok(bytes.equals(wheel.bytes))
        const part = await get(server, path, {range: 'bytes=1000-1999'})
        assert.equal(part.status, 206)
        assert.deepEqual(await bytesOf(part), wheel.bytes.subarray(1000, 2000))
      } finally {
        proxy.faults = []
      }
      assert.equal(objectReads().length, 1)
    })
    it('are kept also when the client that asked first has gone', async () => {
      const other = await buildWheel({name: 'gone', version: '1.0', files: {'gone/data.bin': 2_000_000}})
      await publish(server, other, 'gone')
      const before = (await kept()).length
      const outgoing = httpRequest(`${server.url}/api/package/gone/${other.filename}`, {
        headers: {authorization: reader},
      }).end()
      const [answer] = (await once(outgoing, 'response')) as [IncomingMessage]
      answer.destroy()
      await waitFor('another file', async () => (await kept()).length > before)
      await untilFilled()
      const copy = await get(server, `/api/package/gone/${other.filename}`)
      assert.deepEqual(await bytesOf(copy), other.bytes)
    })
    it('are redirected where pypi.stream_files = false says so', async () => {
      await using redirecting = await serve({
        'storage.disk_cache.dir': temp.join('unused'),
        'pypi.stream_files': 'false',
      })
      assert.equal((await get(redirecting, path)).status, 302)
    })
  })
})

describe('big files of a directory', () => {
  it('come whole to many at once, and a client that stops half-way harms nobody', async () => {
    await using dir = await tempDir()
    await using server = await liveServer(dir.path)
    const bytes = randomBytes(5_000_000)
    const form = uploadForm({filename: 'blob-1.0.tar.bz2', bytes}, {name: 'blob', version: '1.0'})
    const url = `${server.url}/api/package/blob/blob-1.0.tar.bz2`
    await fetch(`${server.url}/simple/`, {
      method: 'POST',
      body: new Uint8Array(form.payload),
      headers: {authorization: writer, ...form.headers},
    })
    const open = async () => {
      const outgoing = httpRequest(url, {headers: {authorization: reader}}).end()
      return ((await once(outgoing, 'response')) as [IncomingMessage])[0]
    }
    for (let round = 0; round < 3; round += 1) {
      // more than there are large buffers, half of them left alone
      const answers = await Promise.all(Array.from({length: 40}, open))
      for (const answer of answers.slice(0, 20)) answer.destroy()
      for (const answer of answers.slice(20)) {
        const hash = createHash('sha256')
        for await (const chunk of answer) hash.update(chunk as Buffer)
        assert.equal(hash.digest('hex'), createHash('sha256').update(bytes).digest('hex'))
      }
    }
    await waitFor('few files are open', async () => {
      return (await readdir(`/proc/${server.process.pid}/fd`)).length < 60
    })
  })
})
