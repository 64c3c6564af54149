import assert from 'node:assert/strict'
import {after, before, beforeEach, describe, it} from 'node:test'
import {fillingMark, type Cache} from '../../src/lib/cache/cache.js'
import {Unavailable} from '../../src/lib/errors.js'
import {PackageIndex} from '../../src/lib/index/package-index.js'
import {ListNotWhole} from '../../src/lib/index/wholeness.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {serve} from '../../src/lib/server/serve.js'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {fillCache} from '../../src/lib/tasks/fill-cache.js'
import {rebuildCache} from '../../src/lib/tasks/rebuild/rebuild.js'
import {ObjectSync} from '../../src/lib/tasks/sync/object-sync.js'
import {open} from '../cache/open-redis.js'
import {startService} from '../services/index.js'
import {redisCli, type Redis} from '../services/redis.js'
import {startTcpProxy, type TcpProxy} from '../services/tcp-proxy.js'
import {needs} from '../support/needs.js'
import {insist} from '../support/wait.js'
import {buildWheel} from '../support/wheels.js'
import {freshIndex, uploadOf} from './open-index.js'

type Opened = Awaited<ReturnType<typeof freshIndex>>

describe('a Redis that has lost the list of files, and has got rows since', needs('redis'), () => {
  let redis: Redis
  let proxy: TcpProxy
  /** Of somebody who writes rows and does not look, as pypicloud does. */
  let others: Cache
  before(async () => {
    redis = await startService('redis')
    proxy = await startTcpProxy(redis.port)
    others = await open(redis.url)
  })
  beforeEach(() => forget())
  after(async () => {
    await others[Symbol.asyncDispose]()
    await proxy[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
  })
  const forget = () => redisCli(['-p', String(redis.port), 'flushall'])

  /** Two files in the storage, both listed. */
  async function filled() {
    const opened = await freshIndex({
      'pypi.db': 'redis',
      'db.url': `redis://127.0.0.1:${proxy.port}/0`,
      'pypi.default_read': 'everyone',
    })
    const rows = [await publish(opened, '1'), await publish(opened, '2')] as const
    await rebuild(opened)
    return Object.assign(opened, {rows})
  }
  async function publish({directory, index}: Opened, version: string): Promise<DistFile> {
    const upload = await uploadOf(directory, await buildWheel({name: 'lib', version}))
    return (await index.publish(upload, {overwrite: false})).file
  }
  const rebuild = ({index}: Opened) => rebuildCache(index.rebuildParts, {owner: 'test'})
  /** A server of ours was there while it was complete. */
  const served = async (opened: Opened) => {
    const server = await serve(opened.config, {port: 0, signals: false})
    await server.close()
  }
  const listedBy = async (index: PackageIndex) => (await index.listFiles('lib')).map(({version}) => version)
  /** As a server does before it answers. */
  const beginning = async (opened: Opened) => {
    const index = new PackageIndex(opened)
    await index.wholeness.begin()
    return index
  }
  /** One whose first look failed. */
  const blind = async (opened: Opened) => {
    const index = new PackageIndex(opened)
    const looking = index.wholeness.begin()
    proxy.cut()
    await assert.rejects(looking, Unavailable)
    await insist(() => opened.cache.check())
    return index
  }

  it('is looked at by a server whose first look failed, before it answers', async () => {
    await using opened = await filled()
    await forget()
    const later = await blind(opened)
    await assert.rejects(later.listFiles('lib'), ListNotWhole)
    await others.save([opened.rows[0]])
    await assert.rejects(later.listFiles('lib'), ListNotWhole)
    await rebuild(opened)
    assert.deepEqual(await listedBy(later), ['2', '1'])
  })
  it('is answered by such a server where it is as it was', async () => {
    await using opened = await filled()
    assert.deepEqual(await listedBy(await blind(opened)), ['2', '1'])
    await redisCli(['-p', String(redis.port), 'del', 'ppc-toolkit:{pypicloud}:state'])
    assert.deepEqual(await listedBy(await blind(opened)), ['2', '1'])
  })
  for (const [how, look] of [
    ['begins then', beginning],
    ['can look only then', blind],
  ] as const) {
    it(`is told from one of pypicloud by a server that ${how}, since the storage knows that it was complete`, async () => {
      await using opened = await filled()
      await served(opened)
      await forget()
      await others.save([opened.rows[0]])
      const later = await look(opened)
      await assert.rejects(later.listFiles('lib'), ListNotWhole)
      await assert.rejects(later.listProjects(), ListNotWhole)
      await rebuild(opened)
      assert.deepEqual(await listedBy(later), ['2', '1'])
    })
  }
  it('says so when the row comes by an event of the bucket', async () => {
    await using opened = await filled()
    await forget()
    const storage = new PackageStorage(opened.storage)
    const step = await new ObjectSync({storage, cache: opened.cache}).bring(storage.keyOf(opened.rows[0]))
    assert.equal(step.kind, 'added')
    await assert.rejects(listedBy(await beginning(opened)), ListNotWhole)
  })
  it('says so when it is being filled from another cache, and is as whole as that one afterwards', async () => {
    await using opened = await filled()
    await using source = await freshIndex()
    await source.cache.save(opened.rows)
    await forget()
    let meanwhile: unknown
    async function* rows() {
      await others.save([opened.rows[0]])
      meanwhile = await listedBy(await beginning(opened)).catch((error: unknown) => error)
      yield* source.cache.listAllFiles()
    }
    const {name} = source.cache
    const slow: Parameters<typeof fillCache>[0] = {
      name,
      listAllFiles: rows,
      getState: key => source.cache.getState(key),
    }
    await fillCache(slow, opened.cache, {owner: 'test'})
    assert.ok(meanwhile instanceof ListNotWhole)
    assert.deepEqual(await listedBy(await beginning(opened)), ['2', '1'])
  })
  it('says so when a rebuild of another project has begun with it', async () => {
    await using opened = await filled()
    await forget()
    await rebuildCache(opened.index.rebuildParts, {owner: 'test', projects: new Set(['other'])})
    await others.save([opened.rows[0]])
    const later = await beginning(opened)
    await assert.rejects(listedBy(later), ListNotWhole)
    await rebuild(opened)
    assert.deepEqual(await listedBy(later), ['2', '1'])
  })
  it('stays known as a part through a restart of Redis and the beginning of the next rebuild', async () => {
    await using opened = await filled()
    await others.remove([opened.rows[1]])
    await others.setState(fillingMark, 'since then')
    // as after a restart: what was known is about another server's process
    await redisCli(['-p', String(redis.port), 'hset', 'ppc-toolkit:{pypicloud}:state', 'server', 'another'])
    await others.setState('rebuild', 'of a run')
    await assert.rejects(listedBy(await beginning(opened)), ListNotWhole)
  })
  it('is answered 503 by a server that starts on it, until it is whole', async () => {
    await using opened = await filled()
    await served(opened)
    await forget()
    await others.save([opened.rows[0]])
    const lock = await others.acquireLock('rebuild', {owner: 'another host'})
    const server = await serve(opened.config, {port: 0, signals: false})
    try {
      const ask = () => fetch(`${server.url}/simple/lib/`)
      assert.equal((await ask()).status, 503)
      await lock[Symbol.asyncDispose]()
      await rebuild(opened)
      const page = await (await ask()).text()
      assert.match(page, /lib-1-py3/)
      assert.match(page, /lib-2-py3/)
    } finally {
      await lock[Symbol.asyncDispose]()
      await server.close()
    }
  })
})
