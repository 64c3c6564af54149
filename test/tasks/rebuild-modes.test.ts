import assert from 'node:assert/strict'
import {after, before, describe, it, mock} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {completeMark} from '../../src/lib/cache/cache.js'
import {openBackends} from '../../src/lib/backends.js'
import {Notes} from '../../src/lib/index/notes.js'
import {fillCache} from '../../src/lib/tasks/fill-cache.js'
import {rebuildCache, type RebuildOptions, type RebuildProgress} from '../../src/lib/tasks/rebuild/rebuild.js'
import {readRun} from '../../src/lib/tasks/rebuild/state.js'
import {UsageError} from '../../src/lib/errors.js'
import {configWith} from '../support/temp.js'
import {needs} from '../support/needs.js'
import {
  bucket,
  cacheEqualsStorage,
  cachePlaces,
  directory,
  fileOf,
  installationOf,
  rowsOf,
  type Installation,
  type StartedPlace,
} from './rebuild-places.js'

const rebuild = async (index: Installation, options: Partial<RebuildOptions> = {}) => {
  const {added, updated, removed, unchanged} = await rebuildCache(index, {owner: 'the test', ...options})
  return {added, updated, removed, unchanged}
}

describe('a rebuild over a bucket, whose listing tells no metadata', needs('versitygw'), () => {
  let storages: StartedPlace
  before(async () => {
    storages = await bucket.start()
  })
  after(() => storages[Symbol.asyncDispose]())
  const install = () => installationOf({'db.url': 'sqlite:///%(here)s/cache.db'}, storages.fresh())

  /** Keys that were asked about one by one, while `work` ran. */
  async function asked(work: () => Promise<unknown>): Promise<string[]> {
    const requests = storages.proxy?.requests ?? []
    requests.length = 0
    await work()
    return requests.filter(({method}) => method === 'HEAD').map(({path}) => path.replace(/^.*\/|\?.*$/g, ''))
  }

  it('asks about new and changed objects alone, and with --full about all of them', async () => {
    await using index = await install()
    for (const version of ['1', '2', '3', '4']) await index.put('foo', version)
    assert.equal((await asked(() => rebuild(index))).length, 4)
    assert.deepEqual(await asked(() => rebuild(index)), [])
    await sleep(1100) // a listing of S3 tells whole seconds: the same bytes twice in one look the same
    await index.put('foo', '5')
    await index.put('foo', '1', {bytes: 'other bytes'})
    await index.put('foo', '2', {data: {requires_python: '>=3.9'}}) // the same bytes
    await index.storage.delete(fileOf('foo', '3'))
    // the one that is gone is asked about before its row goes, and the new one once more at the end
    const changed = ['foo-1.tar.gz', 'foo-2.tar.gz', 'foo-3.tar.gz', 'foo-5.tar.gz', 'foo-5.tar.gz']
    assert.deepEqual((await asked(() => rebuild(index))).sort(), changed)
    await cacheEqualsStorage(index)
    assert.equal((await asked(() => rebuild(index, {full: true}))).length, 4)
  })

  it('asks about rows of other programs once, for they have nothing that a listing could confirm', async () => {
    await using index = await install()
    const stored = await index.put('foo', '1')
    const {path, size} = stored.data // as pypicloud would have it
    await index.cache.save([
      {...stored, data: {...(path !== undefined && {path}), ...(size !== undefined && {size})}},
    ])
    assert.equal((await asked(() => rebuild(index))).length, 1)
    assert.deepEqual(await asked(() => rebuild(index)), [])
  })

  it('tells of each object that it asks about as it goes, and of rows by the hundred', async () => {
    await using index = await install()
    for (const version of ['1', '2', '3', '4', '5']) await index.put('foo', version)
    await index.put('bar', '1')
    const told: RebuildProgress[] = []
    const onProgress = (progress: RebuildProgress) => void told.push(progress)
    await rebuild(index, {concurrency: 1, onProgress})
    const counts = (key: 'listed' | 'checked') => [...new Set(told.map(progress => progress[key]))]
    assert.deepEqual(counts('listed'), [0, 1, 2, 3, 4, 5, 6])
    assert.deepEqual(counts('checked'), [0, 6])
    told.length = 0
    await index.storage.delete(fileOf('bar', '1'))
    await rebuild(index, {onProgress})
    assert.deepEqual(counts('listed'), [5])
    assert.deepEqual(counts('checked'), [0, 6])
    assert.equal(told.at(-1)?.changed, 1)
    const run = await readRun(index.cache)
    assert.deepEqual([run?.state, run?.listed, run?.checked, run?.changed], ['done', 5, 6, 1])
  })

  it('keeps the row of an object that can not be read, and does not call the cache complete', async () => {
    await using index = await install()
    await index.put('foo', '1')
    await index.put('foo', '2')
    await rebuild(index)
    await index.cache.setState(completeMark, undefined)
    await index.put('foo', '2', {bytes: 'now unreadable'})
    const proxy = storages.proxy
    assert.ok(proxy)
    proxy.faults = [{fault: {kind: 'answer', status: 403}, method: 'HEAD', path: 'foo-2'}]
    try {
      const report = await rebuildCache(index, {owner: 'the test'})
      assert.deepEqual([report.unread, report.complete, report.removed], [1, false, 0])
      assert.match(report.oddities[0]?.key ?? '', /foo-2/)
      assert.equal((await index.cache.listFiles('foo')).length, 2)
    } finally {
      proxy.faults = []
    }
    assert.deepEqual((await rebuild(index)).updated, 1)
    assert.ok(await index.cache.getState(completeMark))
  })
})

for (const place of cachePlaces) {
  describe(`a rebuild of ${place.name}`, needs(...place.needs), () => {
    let caches: StartedPlace
    before(async () => {
      caches = await place.start()
    })
    after(() => caches[Symbol.asyncDispose]())
    const install = async () => installationOf(caches.fresh(), (await directory.start()).fresh())

    it('of chosen projects leaves the others as they are', async () => {
      await using index = await install()
      for (const project of ['foo', 'bar', 'foo-bar']) await index.put(project, '1')
      await rebuild(index)
      for (const project of ['foo', 'bar', 'foo-bar']) {
        await index.put(project, '2')
        await index.storage.delete(fileOf(project, '1'))
      }
      const chosen = await rebuild(index, {projects: new Set(['foo'])})
      assert.deepEqual(chosen, {added: 1, updated: 0, removed: 1, unchanged: 0})
      assert.deepEqual(Object.keys(await rowsOf(index.cache)), [
        'bar-1.tar.gz',
        'foo-2.tar.gz',
        'foo-bar-1.tar.gz',
      ])
      await rebuild(index)
      assert.equal(await cacheEqualsStorage(index), 3)
    })

    it('tells every process how it went', async () => {
      await using index = await install()
      await index.put('foo', '1')
      await rebuild(index, {full: true})
      const run = await readRun(index.cache)
      assert.deepEqual(
        [run?.state, run?.mode, run?.owner, run?.report?.added],
        ['done', 'full', 'the test', 1],
      )
      await assert.rejects(rebuild(index, {signal: AbortSignal.abort(new Error('stop'))}))
      assert.equal((await readRun(index.cache))?.state, 'failed')
    })

    it('is right while clocks jump, and with files from the future', async () => {
      await using index = await install()
      await index.put('foo', '1')
      for (const year of [2040, 2001, 2026]) {
        mock.timers.enable({apis: ['Date'], now: new Date(`${year}-06-01T00:00:00Z`)})
        try {
          await index.put('foo', '1', {bytes: `written in ${year}`})
          await index.put('foo', String(year))
          await rebuild(index, {full: year === 2001})
        } finally {
          mock.timers.reset()
        }
        await cacheEqualsStorage(index)
      }
    })

    it('can be spared by filling it from another cache, without the storage', async () => {
      await using index = await install()
      await using old = await installationOf(
        {'db.url': 'sqlite:///%(here)s/cache.db'},
        {'storage.dir': '/nowhere'},
      )
      const stored = await Promise.all(['1', '2', '3'].map(version => index.put('foo', version)))
      await old.cache.save(stored)
      const first = await fillCache(old.cache, index.cache, {owner: 'the test'})
      assert.deepEqual([first.added, first.complete], [3, false])
      await old.cache.setState(completeMark, 'yes')
      const second = await fillCache(old.cache, index.cache, {owner: 'the test'})
      assert.deepEqual([second.added, second.unchanged, second.complete], [0, 3, true])
      assert.equal(await cacheEqualsStorage(index), 3)
      assert.deepEqual(await rebuild(index), {added: 0, updated: 0, removed: 0, unchanged: 3})
    })
  })
}

it('a cache is not filled from itself, by whatever name', async () => {
  await using index = await installationOf(
    {'db.url': 'sqlite:///%(here)s/cache.db'},
    {'storage.dir': '/nowhere'},
  )
  await index.cache.save([fileOf('foo', '1')])
  const config = await configWith(index.dir.path, {
    'storage.dir': '/nowhere',
    'db.url': `sqlite:////${index.dir.join('x', '..', 'cache.db')}`,
  })
  await using same = await openBackends(config, ['cache'])
  await assert.rejects(fillCache(same.cache, index.cache, {owner: 'the test'}), UsageError)
})

it('names of projects whose last file has gone are sealed by a rebuild of that project, too', async () => {
  await using index = await installationOf(
    {'db.url': 'sqlite:///%(here)s/cache.db'},
    (await directory.start()).fresh(),
  )
  await index.put('foo', '1')
  await rebuild(index)
  await index.storage.delete(fileOf('foo', '1'))
  await rebuild(index, {projects: new Set(['foo'])})
  assert.deepEqual([...(await new Notes(index.storage.store).sealed())], ['foo'])
})
