import assert from 'node:assert/strict'
import {setTimeout as sleep} from 'node:timers/promises'
import {after, before, beforeEach, describe, it} from 'node:test'
import {completeMark, type Cache} from '../../src/lib/cache/cache.js'
import {Unavailable} from '../../src/lib/errors.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {startService, type Service} from '../services/index.js'
import {startTcpProxy, type TcpProxy} from '../services/tcp-proxy.js'
import {needs} from '../support/needs.js'
import {insist as insistOn} from '../support/wait.js'
import {open} from './open-redis.js'
import {rawRedis} from './raw-redis.js'

const file = (name: string, version: string): DistFile => ({
  filename: `${name}-${version}.zip`,
  name,
  version,
  lastModified: new Date('2026-11-20T23:12:23.466Z'),
  summary: `version ${version}`,
  data: {size: 7},
})

/** Asks again for as long as the server is away. */
const insist = <Result>(work: () => Promise<Result> | Result) =>
  insistOn(work, error => error instanceof Unavailable)

describe('a Redis server whose connections break', needs('redis', 'redis-cli'), () => {
  let server: Service
  let proxy: TcpProxy
  let cache: Cache
  let direct: Cache
  before(async () => {
    server = await startService('redis')
    proxy = await startTcpProxy(server.port)
    cache = await open(`redis://127.0.0.1:${proxy.port}/0`)
    direct = await open(server.url)
  })
  beforeEach(async () => {
    await using raw = rawRedis(server.url)
    await raw.client.flushall()
  })
  after(async () => {
    await cache[Symbol.asyncDispose]()
    await direct[Symbol.asyncDispose]()
    await proxy[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })

  it('keeps every write that it has confirmed, whole, and takes the others again', async () => {
    const files = Array.from({length: 200}, (_, i) => file(`lib-${i % 10}`, `1.${i}`))
    const confirmed: DistFile[] = []
    const refused: DistFile[] = []
    const cutting = setInterval(() => proxy.cut(), 15)
    const write = async (some: readonly DistFile[]) => {
      for (const each of some) {
        try {
          confirmed.push(...(await cache.save([each])))
        } catch (error) {
          assert.ok(error instanceof Unavailable, String(error))
          assert.match(error.message, /^server\.ini: db\.url: redis:\S+ [^\n]+$/)
          refused.push(each)
          await sleep(10)
        }
      }
    }
    await Promise.all([0, 1, 2, 3].map(writer => write(files.filter((_, i) => i % 4 === writer))))
    clearInterval(cutting)
    assert.ok(refused.length > 0 && proxy.connections > 2)
    const found = await direct.findFiles(files.map(({filename}) => filename))
    for (const each of confirmed) assert.deepEqual(found.get(each.filename), each)
    for (const each of found.values()) assert.ok((await direct.listFiles(each.name)).length > 0)
    assert.equal(await direct.countFiles(), found.size)
    await insist(() => cache.save(refused))
    assert.equal(await direct.countFiles(), files.length)
    assert.equal((await direct.listSummaries()).length, 10)
  })

  it('is believed again only after it was asked what has changed meanwhile', async () => {
    await cache.save([file('lib', '1')])
    for (let round = 0; round < 5; round += 1) {
      const before = await insist(() => cache.changeToken())
      proxy.cut()
      await direct.save([file('lib', `2.${round}`)])
      await insist(() => cache.check())
      assert.notEqual(await insist(() => cache.changeToken()), before)
    }
  })

  it('leaves a lock to its holder', async () => {
    await using lock = await cache.acquireLock('rebuild', {owner: 'a', expireAfterSeconds: 2})
    proxy.cut()
    await sleep(2500) // longer than it lives without a heartbeat
    await insist(() => cache.save([file('lib', '1')], {lock}))
    assert.equal(lock.signal.aborted, false)
    assert.equal((await direct.listFiles('lib')).length, 1)
  })
})

describe('a Redis cluster of which a node hangs', needs('redis-cluster', 'redis-cli'), () => {
  it('fails in one sentence meanwhile, and has lost nothing when it is back', async () => {
    await using server = await startService('redis-cluster')
    await using cache = await open(`cluster ${server.url}`)
    const files = Array.from({length: 60}, (_, i) => file(`lib-${i % 6}`, `1.${i}`))
    await cache.save(files.slice(0, 30))
    await cache.setState(completeMark, 'now')
    process.kill(server.pid, 'SIGSTOP')
    const results = await Promise.allSettled(files.slice(30).map(each => cache.save([each])))
    process.kill(server.pid, 'SIGCONT')
    const failures = results.flatMap(result =>
      result.status === 'rejected' ? [result.reason as unknown] : [],
    )
    assert.ok(failures.length > 0)
    for (const failure of failures) {
      assert.ok(failure instanceof Unavailable, String(failure))
      assert.match(failure.message, /^server\.ini: db\.url: redis:\S+ [^\n]+$/)
    }
    await insist(() => cache.save(files))
    assert.equal((await cache.findFiles(files.map(({filename}) => filename))).size, files.length)
    assert.equal((await cache.listFiles('lib-3')).length, 10)
    assert.equal(await insist(() => cache.getState(completeMark)), 'now')
  })
})
