import assert from 'node:assert/strict'
import {cp, mkdir, rename, rm, utimes, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {completeMark, type Cache} from '../../src/lib/cache/cache.js'
import {LockHeld, StorageFailed} from '../../src/lib/errors.js'
import {Notes} from '../../src/lib/index/notes.js'
import {openDirectory} from '../../src/lib/storage/file/file.js'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {rebuildCache, type RebuildOptions} from '../../src/lib/tasks/rebuild/rebuild.js'
import {openFile} from '../cache/open-sql.js'
import {fixtures} from '../support/paths.js'
import {tempDir} from '../support/temp.js'

/** A storage directory `packages` and a cache beside it. */
async function installation(cacheOf?: string) {
  const dir = await tempDir()
  await mkdir(dir.join('packages'))
  if (cacheOf !== undefined) await cp(join(fixtures, cacheOf), dir.join('cache.db'))
  const cache = await openFile(dir.join('cache.db'))
  const storage = new PackageStorage(await openDirectory(dir.join('packages')))
  const put = async (key: string, text = key, meta?: object) => {
    const path = dir.join('packages', key)
    await mkdir(dirname(path), {recursive: true})
    if (meta) await writeFile(`${path}.meta`, JSON.stringify(meta))
    await writeFile(path, text)
    return path
  }
  return {
    dir,
    cache,
    storage,
    put,
    rebuild: (options: Partial<RebuildOptions> = {}) =>
      rebuildCache({storage, cache}, {owner: 'host, process 1', ...options}),
    [Symbol.asyncDispose]: async () => {
      await cache[Symbol.asyncDispose]()
      await storage.store[Symbol.asyncDispose]()
      await dir[Symbol.asyncDispose]()
    },
  }
}
const names = async (cache: Cache) => {
  const found: string[] = []
  for await (const file of cache.listAllFiles()) found.push(file.filename)
  return found
}
const counts = ({added, updated, removed, unchanged}: Awaited<ReturnType<typeof rebuildCache>>) => [
  added,
  updated,
  removed,
  unchanged,
]

describe('rebuilding the cache', () => {
  it('fills an empty one from what pypicloud stored, and finds nothing to do the second time', async () => {
    await using index = await installation()
    await cp(join(fixtures, 'file-storage', 'packages'), index.dir.join('packages'), {recursive: true})
    assert.equal(await index.cache.getState(completeMark), undefined)
    assert.deepEqual(counts(await index.rebuild()), [14, 0, 0, 0])
    assert.ok(await index.cache.getState(completeMark))
    const wheel = await index.cache.findFile('open_lib-1.9-py3-none-any.whl')
    assert.equal(wheel?.summary, 'Bibliothèque ouverte — 開かれた')
    assert.equal(wheel.data.uploader, 'ada')
    assert.ok(wheel.data.size)
    assert.deepEqual(counts(await index.rebuild()), [0, 0, 0, 14])
  })

  for (const version of ['sql', 'v1.0.11']) {
    it(`keeps times and uploaders of rows that pypicloud wrote (${version})`, async () => {
      await using index = await installation(join(version, 'cache.db'))
      const packages = version === 'sql' ? join('file-storage', 'packages') : join('v1.0.11', 'packages')
      await cp(join(fixtures, packages), index.dir.join('packages'), {recursive: true})
      const before = await index.cache.findFile('open-lib-0.9.tar.gz')
      const report = await index.rebuild()
      assert.deepEqual([report.added, report.removed], [0, 0])
      const after = await index.cache.findFile('open-lib-0.9.tar.gz')
      assert.deepEqual(after?.lastModified, before?.lastModified)
      assert.equal(after?.summary, before?.summary)
      assert.equal(after?.data.uploader, before?.data.uploader)
      assert.ok(after?.data.size)
      assert.equal((await index.rebuild()).updated, 0)
    })
  }

  it('takes a rewritten file and rewritten metadata as the storage has them', async () => {
    await using index = await installation()
    await index.put('foo/1.0/foo-1.0.zip', 'old', {hash_sha256: 'aa', requires_python: '>=2'})
    await index.put('bar/1.0/bar-1.0.zip', 'old')
    await index.rebuild()
    const path = await index.put('foo/1.0/foo-1.0.zip', 'other', {requires_python: '>=3'})
    await utimes(path, new Date('2026-01-01T00:00:00Z'), new Date('2026-01-01T00:00:00Z'))
    assert.deepEqual(counts(await index.rebuild()), [0, 1, 0, 1])
    const {lastModified, data} = (await index.cache.findFile('foo-1.0.zip'))!
    assert.equal(data.hash_sha256, undefined)
    assert.equal(data.requires_python, '>=3')
    assert.equal(data.size, 5)
    assert.deepEqual(lastModified, new Date('2026-01-01T00:00:00Z'))
  })

  it('removes rows without a file and seals names that lose their last, but not those from upstream', async () => {
    await using index = await installation()
    await index.put('half/1/half-1.zip')
    await index.put('half/2/half-2.zip')
    await index.put('mine/1/mine-1.zip')
    await index.put('theirs/1/theirs-1.zip', 'x', {origin: 'upstream'})
    await index.rebuild()
    for (const key of ['half/1', 'mine', 'theirs'])
      await rm(index.dir.join('packages', key), {recursive: true})
    const report = await index.rebuild()
    assert.deepEqual(counts(report), [0, 0, 3, 1])
    assert.deepEqual(report.sealed, ['mine'])
    assert.deepEqual(await names(index.cache), ['half-2.zip'])
    const sealed = await new Notes(index.storage.store).sealed()
    assert.deepEqual([...sealed], ['mine'])
  })

  it('keeps what is published and deleted meanwhile', async () => {
    await using index = await installation()
    for (const version of ['1', '2', '3']) await index.put(`foo/${version}/foo-${version}.zip`)
    await index.rebuild()
    await index.put('foo/4/foo-4.zip')
    // everything below happens between the listing and its first write
    const find = index.cache.findFiles.bind(index.cache)
    let once = true
    index.cache.findFiles = async filenames => {
      if (!once || filenames.length < 4) return find(filenames)
      once = false
      await rm(index.dir.join('packages/foo/2'), {recursive: true})
      await index.cache.remove([(await find(['foo-2.zip'])).get('foo-2.zip')!])
      await index.put('foo/1/foo-1.zip', 'published again')
      const fresh = await index.storage.stat((await find(['foo-1.zip'])).get('foo-1.zip')!)
      await index.put('foo/5/foo-5.zip')
      const rows = await find(filenames)
      await index.cache.save([fresh, {...fresh, filename: 'foo-5.zip', version: '5'}])
      return rows
    }
    await index.rebuild()
    assert.deepEqual(await names(index.cache), ['foo-1.zip', 'foo-3.zip', 'foo-4.zip', 'foo-5.zip'])
    assert.equal((await index.cache.findFile('foo-1.zip'))?.data.size, 'published again'.length)
  })

  it('writes nothing in a dry run, and reports the same', async () => {
    await using index = await installation()
    await index.put('foo/1/foo-1.zip')
    await index.put('foo/2/foo-2.zip')
    await index.rebuild()
    await rm(index.dir.join('packages/foo/1'), {recursive: true})
    await index.put('bar/1/bar-1.zip')
    const [token, changes] = [index.cache.changeToken(), [] as string[]]
    const dry = await index.rebuild({
      dryRun: true,
      onChange: (kind, file) => changes.push(`${kind} ${file.filename}`),
    })
    assert.equal(index.cache.changeToken(), token)
    assert.deepEqual(changes, ['added bar-1.zip', 'removed foo-1.zip'])
    assert.deepEqual(counts(dry), counts(await index.rebuild()))
  })

  it('reports stray files and a second file of one name, whose newer one counts, and goes on', async () => {
    await using index = await installation()
    await index.put('stray.txt')
    await index.put('foo/1/deeper/foo-1.zip')
    const [old, fresh] = [
      await index.put('foo/1/foo-1.zip', 'old'),
      await index.put('foo/1.0/foo-1.zip', 'newer'),
    ]
    await utimes(old, new Date('2026-01-01T00:00:00Z'), new Date('2026-01-01T00:00:00Z'))
    await utimes(fresh, new Date('2026-01-02T00:00:00Z'), new Date('2026-01-02T00:00:00Z'))
    for (const run of ['first', 'second', 'third']) {
      const report = await index.rebuild()
      assert.equal(report.oddityCount, 3, run)
      assert.ok(
        report.oddities.some(({key, reason}) => key === 'foo/1/foo-1.zip' && /second file/.test(reason)),
      )
      assert.equal((await index.cache.findFile('foo-1.zip'))?.version, '1.0', run)
      if (run !== 'first') assert.deepEqual(counts(report), [0, 0, 0, 1])
    }
  })

  it('does not believe an empty storage that the cache knows to be full', async () => {
    await using index = await installation()
    for (let i = 0; i < 20; i += 1) await index.put(`foo/${i}/foo-${i}.zip`)
    await index.rebuild()
    await rename(index.dir.join('packages/foo'), index.dir.join('unmounted'))
    await assert.rejects(index.rebuild(), StorageFailed)
    assert.equal(await index.cache.countFiles(), 20)
    assert.equal((await index.rebuild({allowEmpty: true})).removed, 20)
  })

  it('begins as soon as the last run is told to have ended, which gives its lock back a moment later', async () => {
    await using index = await installation()
    await index.rebuild()
    const lock = await index.cache.acquireLock('rebuild', {owner: 'the last run'})
    const [report] = await Promise.all([index.rebuild(), sleep(50).then(() => lock[Symbol.asyncDispose]())])
    assert.equal(report.complete, true)
  })

  it('lets one run at a time, and stops when it is told to, without the complete mark', async () => {
    await using index = await installation()
    await index.put('foo/1/foo-1.zip')
    {
      await using lock = await index.cache.acquireLock('rebuild', {owner: 'cron on host-b'})
      await assert.rejects(
        index.rebuild(),
        (error: Error) => error instanceof LockHeld && /host-b/.test(error.message),
      )
      assert.equal(lock.signal.aborted, false)
    }
    await assert.rejects(index.rebuild({signal: AbortSignal.abort(new Error('interrupted'))}), /interrupted/)
    assert.equal(await index.cache.getState(completeMark), undefined)
    await index.rebuild()
    assert.ok(await index.cache.getState(completeMark))
  })
})
