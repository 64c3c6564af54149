import assert from 'node:assert/strict'
import {spawn, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {join} from 'node:path'
import {describe, it} from 'node:test'
import {completeMark, type Cache} from '../../src/lib/cache/cache.js'
import {openRedisCacheAt} from '../../src/lib/cache/redis/redis.js'
import {StorageFailed, Unavailable} from '../../src/lib/errors.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {startService} from '../services/index.js'
import {freePort} from '../support/free-port.js'
import {needs, program} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {insist} from '../support/wait.js'
import {open} from './open-redis.js'
import {rawRedis} from './raw-redis.js'
import {sentence} from './sentence.js'

const where = {file: 'server.ini', key: 'db.url'}
const file: DistFile = {
  filename: 'lib-1.0.zip',
  name: 'lib',
  version: '1.0',
  lastModified: new Date('2026-11-20T23:12:23.466Z'),
  summary: null,
  data: {},
}

describe('a Redis server that is away', needs('redis', 'redis-cli'), () => {
  it('is told in one sentence when nobody listens, or nobody answers', async () => {
    const port = await freePort()
    assert.equal(
      await sentence(open(`redis://:s3cret@127.0.0.1:${port}/2`), Unavailable),
      `server.ini: db.url: redis://127.0.0.1:${port}/2 can't be reached (ECONNREFUSED)`,
    )
    assert.match(
      await sentence(open('unix:///nowhere/redis.sock?db=1'), Unavailable),
      /unix:\/\/\/nowhere\/redis\.sock\?db=1 can't be reached \(ENOENT\)/,
    )
    assert.match(
      await sentence(open(`cluster redis://:s3cret@127.0.0.1:${port}`), Unavailable),
      /ECONNREFUSED|not all nodes/,
    )
  })

  it('makes everything fail until it is back, and loses its complete mark, not its rows', async () => {
    await using dir = await tempDir()
    const port = await freePort()
    await using first = startAt(port, dir.path)
    await insist(() => open(`redis://127.0.0.1:${port}/0`).then(close))
    await using cache = await open(`redis://127.0.0.1:${port}/0`)
    await cache.save([file])
    await cache.setState(completeMark, 'now')
    const token = await cache.changeToken()
    const writes = Array.from({length: 200}, (_, i) =>
      cache.save([{...file, filename: `lib-${i}.zip`, version: String(i)}]).then(
        () => i,
        (error: unknown) => error,
      ),
    )
    const killed = first.end()
    const results = await Promise.all(writes)
    await killed
    assert.ok(results.every(result => typeof result === 'number' || result instanceof Unavailable))
    for (const work of [
      () => cache.listFiles('lib'),
      () => cache.save([file]),
      () => cache.getState(completeMark),
      () => cache.check(),
      async () => cache.changeToken(),
    ]) {
      await sentence(work(), Unavailable)
    }
    await using second = startAt(port, dir.path)
    await insist(() => cache.check())
    assert.equal(second.process.exitCode, null)
    assert.equal(await cache.getState(completeMark), undefined)
    assert.notEqual(await cache.changeToken(), token)
    const rows = new Set((await cache.listFiles('lib')).map(({filename}) => filename))
    assert.ok(rows.has(file.filename))
    for (const i of results) if (typeof i === 'number') assert.ok(rows.has(`lib-${i}.zip`))
    await cache.save([file])
  })

  it('is empty, incomplete and as good as new when it has kept nothing', async () => {
    await using dir = await tempDir()
    const port = await freePort()
    await using first = startAt(port, dir.path, inMemory)
    await insist(() => open(`redis://127.0.0.1:${port}/0`).then(close))
    await using cache = await open(`redis://127.0.0.1:${port}/0`)
    await cache.save([file])
    await cache.setState(completeMark, 'now')
    const token = await cache.changeToken()
    await first.end() // it has the port until then
    await using second = startAt(port, dir.path, inMemory)
    await insist(() => cache.check())
    assert.equal(second.process.exitCode, null)
    assert.notEqual(await cache.changeToken(), token)
    assert.equal(await cache.getState(completeMark), undefined)
    assert.deepEqual(await cache.listProjects(), [])
    await cache.save([file])
    await cache.setState(completeMark, 'again')
    assert.equal(await cache.getState(completeMark), 'again')
  })
})

const onDisk = ['--appendonly', 'yes', '--appendfsync', 'always']
const inMemory = ['--save', '']
interface KilledAtTheEnd extends AsyncDisposable {
  readonly process: ChildProcess
  /** Kills it and waits until it has ended. */
  end(): Promise<void>
}
/** A server that by default writes each change to its disk, on a port that another one had before. Ends with the block. */
function startAt(port: number, directory: string, kept = onDisk): KilledAtTheEnd {
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory]
  const child = spawn(program('redis'), [...settings, ...kept], {
    stdio: 'ignore',
  })
  const exited = once(child, 'exit')
  const end = async () => {
    child.kill('SIGKILL')
    await exited
  }
  return {process: child, end, [Symbol.asyncDispose]: end}
}
const close = (cache: Cache) => cache[Symbol.asyncDispose]()

describe('a Redis server that refuses', needs('redis', 'redis-cli'), () => {
  it('a missing or a wrong password, or a database that it does not have', async () => {
    await using server = await startService('redis', {password: 's3cret pa/ss'})
    const at = `127.0.0.1:${server.port}`
    assert.match(await sentence(open(`redis://${at}/0`)), /asks for a password, and the URL has none/)
    assert.match(await sentence(open(`redis://:s3cretx@${at}/0`)), /refuses the user or password/)
    assert.match(await sentence(open(`redis://bob:s3cret@${at}/0`)), /refuses the user or password/)
    assert.match(await sentence(open(`${server.url}/77`)), /no database of that number/)
    await using cache = await open(`redis://${at}/0?password=s3cret%20pa%2Fss`)
    await cache.save([file])
  })
  it('writes, because it is full, a replica, or has rights for reading only', async () => {
    await using server = await startService('redis')
    await using raw = rawRedis(server.url)
    await using cache = await open(server.url)
    await raw.client.config('SET', 'maxmemory', '1')
    assert.match(await sentence(cache.save([file]), StorageFailed), /no memory left/)
    assert.deepEqual(await raw.keys(), {})
    await raw.client.config('SET', 'maxmemory', '0')
    await raw.client.replicaof('127.0.0.1', await freePort())
    assert.match(await sentence(cache.save([file]), Unavailable), /is a replica/)
    await raw.client.replicaof('NO', 'ONE')
    await insist(() => cache.save([file]))
    await raw.client.acl('SETUSER', 'reader', 'on', '>s3cret', '~*', '+@read', '+ping', '+select', '+info')
    await using reader = await open(`redis://reader:s3cret@127.0.0.1:${server.port}`)
    assert.deepEqual(await reader.listFiles('lib'), [file])
    assert.match(await sentence(reader.save([file])), /does not let this user/)
    const before = await reader.changeToken() // it may not be told of changes, so it asks
    await cache.save([{...file, summary: 'new'}])
    assert.notEqual(await reader.changeToken(), before)
  })
  it('a cluster that is none, and a plain connection to one that is', async () => {
    await using server = await startService('redis')
    assert.match(await sentence(open(`cluster ${server.url}`)), /is no cluster: remove db\.clustered/)
  })
})

describe('ways to a Redis server', needs('redis', 'redis-cli'), () => {
  it('TLS, with a certificate that has to be known', async () => {
    await using server = await startService('redis', {tls: true})
    assert.match(await sentence(open(`${server.url}/0`)), /certificate that can't be verified .*ssl_ca_certs/)
    for (const query of [`ssl_ca_certs=${server.caFile}`, 'ssl_cert_reqs=none']) {
      await using cache = await open(`${server.url}/0?${query}`)
      await cache.save([file])
      assert.match(cache.name, /^rediss:/)
    }
    assert.match(
      await sentence(open(`${server.url.replace('rediss', 'redis')}/0`)),
      /does not answer|can't be reached/,
    )
  })
  it('a Unix socket', async () => {
    await using dir = await tempDir()
    const socket = join(dir.path, 'redis.sock')
    await using server = await startService('redis', {
      settings: ['--unixsocket', socket, '--unixsocketperm', '777'],
    })
    await using cache = await open(`unix://${socket}?db=5`)
    await cache.save([file])
    await using raw = rawRedis(`${server.url}/5`)
    assert.equal(await raw.client.exists('pypicloud:package:lib-1.0.zip'), 1)
  })
  it('sentinels, also to the one that takes over', async () => {
    await using service = await startService('redis-sentinel')
    const sentinels = [{host: '127.0.0.1', port: service.port}]
    const openIt = (name: string): Promise<Cache> => openRedisCacheAt(`redis://${name}/1`, where, {sentinels})
    assert.match(await sentence(openIt('nobody'), Unavailable), /db\.sentinels/)
    await using cache = await openIt(service.masterName)
    await cache.save([file])
    await cache.setState(completeMark, 'now')
    await service.master[Symbol.asyncDispose]()
    await insist(() => cache.save([file]))
    assert.deepEqual(await cache.listFiles('lib'), [file])
    assert.equal(await cache.getState(completeMark), undefined)
  })
  it('no way at all: what is wrong with the URL', async () => {
    for (const [url, words] of [
      ['redis:/127.0.0.1', /found no Redis URL/],
      ['redis://:s3cret@127.0.0.1?sockettimeout=5', /unknown option "sockettimeout"/],
      ['redis://:s3cret@127.0.0.1?socket_timeout=five', /socket_timeout is "five", expected a number/],
      ['unix://?db=1', /names no socket/],
      ['rediss://127.0.0.1?ssl_ca_certs=/nowhere.pem', /\/nowhere\.pem of ssl_ca_certs can't be read/],
    ] as const) {
      assert.match(await sentence(open(url)), words)
    }
  })
})
