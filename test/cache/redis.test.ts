import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {completeMark, type Cache} from '../../src/lib/cache/cache.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {describeCache} from '../contracts/cache.js'
import {startService, type Service} from '../services/index.js'
import {needs, program} from '../support/needs.js'
import {fixtures} from '../support/paths.js'
import {runProgram} from '../support/run.js'
import {newLib} from './new-lib.js'
import {open} from './open-redis.js'
import {rawRedis, type RawKey, type RawRedis} from './raw-redis.js'

for (const kind of ['redis', 'redis-cluster'] as const) {
  describe(`a server: ${kind}`, needs('redis', 'redis-cli'), () => {
    let server: Service
    before(async () => {
      server = await startService(kind)
    })
    after(() => server[Symbol.asyncDispose]())
    const place = () => (kind === 'redis' ? `${server.url}/3` : `cluster ${server.url}`)
    describeCache(
      kind,
      () => open(place()),
      {},
      () => ({module: new URL('./open-redis.js', import.meta.url).href, argument: place()}),
      kind === 'redis' ? {} : {many: 1000, rounds: 20}, // three servers on the cores of one
    )
  })
}

const file = newLib({uploader: 'bob', requires_python: '>=3.6', size: 42, note: 'é🎉'})
const fixture = async (name: string) =>
  JSON.parse(await readFile(join(fixtures, 'redis', name), 'utf8')) as Record<string, RawKey>

describe('a database of Redis', needs('redis', 'redis-cli'), () => {
  let server: Service
  let raw: RawRedis
  let cache: Cache
  before(async () => {
    server = await startService('redis')
    raw = rawRedis(server.url)
    cache = await open(`${server.url}/0`)
  })
  after(async () => {
    await cache[Symbol.asyncDispose]()
    await raw[Symbol.asyncDispose]()
    await server[Symbol.asyncDispose]()
  })
  const fresh = () => raw.client.flushall()
  const listed = async () => {
    const files: DistFile[] = []
    for await (const each of cache.listAllFiles()) files.push(each)
    return files
  }

  describe('that pypicloud wrote', () => {
    it('is read whole, and written again it is the same to the byte', async () => {
      await fresh()
      const dump = await readFile(join(fixtures, 'redis', 'load.resp'), 'utf8')
      const cli = ['-p', String(server.port), '--pipe']
      const loaded = await runProgram(program('redis-cli'), cli, {cwd: '/', input: dump})
      assert.equal(loaded.code, 0, loaded.stdout)
      const before = await fixture('keys.json')
      assert.deepEqual(await raw.keys(), before)
      const files = await listed()
      const rows = Object.keys(before).filter(key => key.startsWith('pypicloud:package:'))
      assert.deepEqual(files.map(each => `pypicloud:package:${each.filename}`).sort(), rows.sort())
      const odd = files.find(each => each.filename === 'Foo.Bar_baz-1.0.tar.gz')
      assert.equal(odd?.summary, 'spaces  and\ttabs')
      assert.equal(odd.lastModified.toISOString(), '2026-11-20T23:22:01.036Z')
      assert.equal(odd.data.uploader, 'svc.build@example.com')
      await cache.save(files)
      assert.deepEqual(await raw.keys(), before)
    })
    it('is left as pypicloud leaves it when files are removed', async () => {
      await fresh()
      await raw.load(await fixture('keys.json'))
      const gone = ['adminonly-2020.1.0.tar.gz', 'open-lib-0.9.tar.gz']
      const {emptied} = await cache.remove([...(await cache.findFiles(gone)).values()])
      assert.deepEqual(emptied, ['adminonly'])
      assert.deepEqual(await raw.keys(), await fixture('keys-after-deletes.json'))
    })
    it('gets rows as pypicloud writes them', async () => {
      await fresh()
      await cache.save([
        file,
        {...file, filename: 'new-lib-0.9.zip', lastModified: new Date(0), summary: null, data: {}},
      ])
      const {filename, name} = file
      const hash = (value: Record<string, string>): RawKey => ({type: 'hash', value, ttl: -1})
      const set = (...value: string[]): RawKey => ({type: 'set', value, ttl: -1})
      const shown = {name, summary: 'Zähler 🎉', last_modified: '1795216343.466'}
      assert.deepEqual(await raw.keys(), {
        [`pypicloud:package:${filename}`]: hash({
          ...shown,
          version: '1.0',
          filename,
          uploader: '"bob"',
          requires_python: '">=3.6"',
          size: '42',
          note: '"\\u00e9\\ud83c\\udf89"',
        }),
        'pypicloud:package:new-lib-0.9.zip': hash({
          name,
          version: '1.0',
          filename: 'new-lib-0.9.zip',
          last_modified: '0.0',
          summary: '',
        }),
        'pypicloud:set': set(name),
        [`pypicloud:set:${name}`]: set('new-lib-0.9.zip', filename),
        [`pypicloud:summary:${name}`]: hash(shown),
      })
    })
    it('shows in its summaries the newest file that is left', async () => {
      await fresh()
      const older = {...file, filename: 'new-lib-0.9.zip', lastModified: new Date(5000), summary: 'older'}
      await cache.save([file, older])
      await cache.remove([file])
      assert.deepEqual(await raw.client.hgetall('pypicloud:summary:new-lib'), {
        name: 'new-lib',
        summary: 'older',
        last_modified: '5.0',
      })
    })
    it('may hold what nobody should have written', async () => {
      await fresh()
      await raw.client.hset('pypicloud:package:a-1.zip', {
        name: 'a',
        size: 'no json',
        uploader: 'null',
        summary: 'None',
      })
      await raw.client.set('pypicloud:package:a-2.zip', 'a text')
      await raw.client.hset('pypicloud:package:a-3.zip', {version: '3'})
      await raw.client.sadd('pypicloud:set:a', 'a-1.zip', 'a-2.zip', 'a-3.zip', 'a-4.zip')
      await raw.client.sadd('pypicloud:set', 'a', 'never-there')
      const row = {
        filename: 'a-1.zip',
        name: 'a',
        version: '',
        lastModified: new Date(0),
        summary: null,
        data: {},
      }
      assert.deepEqual(await cache.listFiles('a'), [row])
      assert.deepEqual(await listed(), [row])
      assert.deepEqual(await cache.search({}, 'or'), [row])
      assert.deepEqual(await cache.listSummaries(), [{name: 'a', summary: null, lastModified: new Date(0)}])
      const mended = {...file, filename: 'a-2.zip', name: 'a'}
      assert.deepEqual(await cache.save([mended], {seen: new Map()}), [mended])
      assert.deepEqual(await cache.findFile('a-2.zip'), mended)
      await raw.client.set('pypicloud:set:b', 'a text')
      await assert.rejects(cache.save([{...file, name: 'b'}]), /db\.url: redis:.* is not of the type/)
      assert.equal(await cache.findFile(file.filename), undefined)
    })
    it('has its files in the lists again after a rebuild when a list was lost', async () => {
      await fresh()
      await cache.save([file])
      await raw.client.del('pypicloud:set:new-lib')
      assert.deepEqual(await cache.findFiles([file.filename]), new Map())
      assert.deepEqual(await cache.save([file], {seen: new Map()}), [file])
      assert.deepEqual(await cache.listFiles('new-lib'), [file])
    })
    it('moves a file name from one project to another', async () => {
      await fresh()
      await cache.save([file])
      await cache.save([{...file, name: 'other'}])
      assert.deepEqual(await cache.listProjects(), ['other'])
      assert.deepEqual((await cache.listFiles('new-lib')).length, 0)
      assert.deepEqual(await raw.client.exists('pypicloud:summary:new-lib'), 0)
    })
  })

  it('shows at once what others change, drop or flush', async () => {
    await fresh()
    const tokens = [await cache.changeToken()]
    const changed = async (work: Promise<unknown>) => {
      await work
      await raw.client.ping() // the server has told everybody by the time it answers again
      tokens.push(await cache.changeToken())
    }
    await changed(raw.load(await fixture('keys.json')))
    await changed(raw.client.hset('pypicloud:package:eggy-1.0-py2.7.egg', 'summary', 'other'))
    await changed(raw.client.del('pypicloud:package:eggy-1.0-py2.7.egg'))
    await changed(raw.client.flushall())
    assert.equal(new Set(tokens).size, tokens.length)
    await raw.client.set('another:application', '1')
    assert.equal(await cache.changeToken(), tokens.at(-1))
  })

  describe('its complete mark', () => {
    const marked = async (keys = fixture('keys.json')) => {
      await fresh()
      await raw.load(await keys)
      await cache.setState(completeMark, 'now')
      assert.equal(await cache.getState(completeMark), 'now')
    }
    const rebuildOfPypicloud = async (then: Readonly<Record<string, RawKey>> = {}) => {
      await raw.client.del(...(await raw.client.keys('pypicloud:*')))
      await raw.load(then)
    }
    it('ends when pypicloud drops its keys, even if they are back, and can be set again', async () => {
      await marked()
      await rebuildOfPypicloud()
      assert.equal(await cache.getState(completeMark), undefined)
      await raw.load(await fixture('keys.json'))
      assert.equal(await cache.getState(completeMark), undefined)
      await cache.save(await listed())
      assert.equal(await cache.getState(completeMark), undefined)
      await cache.setState(completeMark, 'again')
      assert.equal(await cache.getState(completeMark), 'again')
    })
    it('stays while we write and remove, whichever rows, down to none and up again', async () => {
      await marked()
      const files = await listed()
      await cache.save(files)
      for (const each of files) {
        await cache.remove([each])
        assert.equal(await cache.getState(completeMark), 'now')
      }
      assert.deepEqual(await raw.keys(), {})
      await cache.save([file])
      assert.equal(await cache.getState(completeMark), 'now')
      await rebuildOfPypicloud()
      assert.equal(await cache.getState(completeMark), undefined)
    })
    it('shows in no file, and in nothing that pypicloud reads as other than JSON', async () => {
      await marked()
      for (const each of await listed()) assert.ok(!Object.keys(each.data).join().includes('witness'))
      for (const {value} of Object.values(await raw.keys())) {
        if ('filename' in value) {
          for (const [key, text] of Object.entries(value)) {
            if (!['name', 'version', 'filename', 'last_modified', 'summary'].includes(key)) JSON.parse(text)
          }
        }
      }
    })
    it('ends when the server evicts keys', async () => {
      await marked()
      await raw.client.config('SET', 'maxmemory-policy', 'allkeys-lru')
      await cache.setState(completeMark, 'now')
      const used = Number(/^used_memory:(\d+)/m.exec(await raw.client.info('memory'))?.[1])
      await raw.client.config('SET', 'maxmemory', String(used - 1000))
      await raw.client.set('another:application', 'x'.repeat(10_000))
      const deadline = performance.now() + 10_000
      while ((await cache.getState(completeMark)) !== undefined && performance.now() < deadline) {
        await new Promise(resolve => setTimeout(resolve, 100))
      }
      assert.equal(await cache.getState(completeMark), undefined)
      await raw.client.config('SET', 'maxmemory', '0')
      await raw.client.config('SET', 'maxmemory-policy', 'noeviction')
    })
  })
})
