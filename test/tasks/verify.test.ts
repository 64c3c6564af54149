import assert from 'node:assert/strict'
import {cp, mkdir, readFile, rename, rm, stat, symlink, utimes, writeFile} from 'node:fs/promises'
import {dirname, join} from 'node:path'
import {describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {Notes} from '../../src/lib/index/notes.js'
import {openDirectory} from '../../src/lib/storage/file/file.js'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {rebuildCache} from '../../src/lib/tasks/rebuild/rebuild.js'
import {verifyIndex, type VerifyOptions, type VerifyReport} from '../../src/lib/tasks/verify/verify.js'
import {openS3Store} from '../../src/lib/storage/s3/s3.js'
import {open as openRedis} from '../cache/open-redis.js'
import {openFile} from '../cache/open-sql.js'
import {bodyOf} from '../contracts/object-store.js'
import {s3Error, startFaultProxy} from '../services/fault-proxy.js'
import {startService} from '../services/index.js'
import {s3Config} from '../storage/s3-services.js'
import {needs} from '../support/needs.js'
import {fixtures} from '../support/paths.js'
import {tempDir} from '../support/temp.js'

/** What pypicloud left: its files, and its own cache or, without one, ours, rebuilt. */
async function installation(cacheOfPypicloud?: string) {
  const dir = await tempDir()
  await cp(join(fixtures, 'file-storage', 'packages'), dir.join('packages'), {recursive: true})
  if (cacheOfPypicloud !== undefined) await cp(join(fixtures, cacheOfPypicloud), dir.join('cache.db'))
  const cache = await openFile(dir.join('cache.db'))
  const storage = new PackageStorage(await openDirectory(dir.join('packages')))
  const parts = {storage, cache}
  if (cacheOfPypicloud === undefined) await rebuildCache(parts, {owner: 'a test'})
  return {
    ...parts,
    path: (key: string) => dir.join('packages', key),
    verify: (options: Partial<VerifyOptions> = {}) => verifyIndex(parts, {digests: true, ...options}),
    repair: () => verifyIndex(parts, {digests: true, repair: {owner: 'a test'}}),
    [Symbol.asyncDispose]: async () => {
      await cache[Symbol.asyncDispose]()
      await storage.store[Symbol.asyncDispose]()
      await dir[Symbol.asyncDispose]()
    },
  }
}
const found = ({findings}: VerifyReport) => findings.map(({kind, key}) => `${kind} ${key}`).sort()
const wheel = 'open-lib/1.9/open_lib-1.9-py3-none-any.whl'
const write = async (path: string, text: string) => {
  await mkdir(dirname(path), {recursive: true})
  await writeFile(path, text)
}

describe('Verifying an index', () => {
  it('finds nothing in an installation of pypicloud, with its own cache or with ours', async () => {
    for (const cache of [undefined, 'sql/cache.db']) {
      await using index = await installation(cache)
      const report = await index.verify()
      assert.deepEqual(found(report), [])
      assert.deepEqual([report.files, report.open, report.withoutDigest], [14, 0, 0])
      assert.equal(report.cacheIsComplete, cache === undefined)
      assert.ok(report.bytes > 0)
    }
  })

  it('sees one flipped bit, unless it is told not to read, and never mends it', async () => {
    await using index = await installation()
    const bytes = await readFile(index.path(wheel))
    const {atime, mtime} = await stat(index.path(wheel))
    bytes[100]! ^= 1
    await writeFile(index.path(wheel), bytes)
    await utimes(index.path(wheel), atime, mtime)
    const damaged = (report: VerifyReport) => found(report).filter(line => line.startsWith('damaged'))
    assert.deepEqual(damaged(await index.verify()), [`damaged ${wheel}`])
    assert.deepEqual(damaged(await index.verify({digests: false})), [])
    const repaired = await index.repair()
    assert.equal(repaired.open, 1)
    assert.deepEqual(await readFile(index.path(wheel)), bytes)
  })

  it('tells what storage and cache do not agree on, and mends it by --repair', async () => {
    await using index = await installation()
    await rm(index.path('secret-lib'), {recursive: true})
    await write(index.path('new-lib/1.0/new_lib-1.0.tar.gz'), 'x')
    const row = (await index.cache.findFile('open_lib-1.9-py3-none-any.whl'))!
    await index.cache.save([{...row, data: {...row.data, requires_python: '>=2'}}])
    const expected = [
      'missing secret-lib/0.1/secret-lib-0.1.tar.gz',
      `outdated ${wheel}`,
      'unlisted new-lib/1.0/new_lib-1.0.tar.gz',
    ].sort()
    assert.deepEqual(found(await index.verify({digests: false})), expected)
    assert.deepEqual(found(await index.verify({digests: false})), expected)
    const repaired = await index.repair()
    assert.deepEqual([found(repaired), repaired.open], [expected, 0])
    assert.deepEqual(found(await index.verify()), [])
    assert.ok((await new Notes(index.storage.store).sealed()).has('secret-lib'))
  })

  it('moves directories of very old spellings to where they are looked for', async () => {
    await using index = await installation()
    await rename(index.path('open-lib'), index.path('Open_Lib'))
    const report = await index.verify()
    assert.equal(report.counts.misplaced, 6)
    assert.equal((await index.repair()).open, 0)
    assert.deepEqual(found(await index.verify()), [])
    await assert.rejects(stat(index.path('Open_Lib')), {code: 'ENOENT'})
    const {data} = (await index.cache.findFile('open_lib-1.9-py3-none-any.whl'))!
    assert.equal(data.path, undefined)
  })

  it('leaves both of two different files that claim one place', async () => {
    await using index = await installation()
    await write(index.path(`Open_Lib/1.9/${wheel.split('/')[2] ?? ''}`), 'other bytes')
    const report = await index.repair()
    assert.ok(report.counts.doubled === 1 && report.open >= 1)
    assert.equal(
      await readFile(index.path(`Open_Lib/1.9/${wheel.split('/')[2] ?? ''}`), 'utf8'),
      'other bytes',
    )
  })

  it('keeps a misplaced file to which there is a link in its place', async () => {
    for (const linked of ['Open_Lib', `Open_Lib/1.9/${wheel.split('/')[2] ?? ''}`]) {
      await using index = await installation()
      await rename(index.path('open-lib'), index.path('Open_Lib'))
      const link = index.path(linked.replace('Open_Lib', 'open-lib'))
      await mkdir(dirname(link), {recursive: true})
      await symlink(index.path(linked), link)
      const bytes = await readFile(index.path(wheel))
      await index.repair()
      assert.deepEqual(await readFile(index.path(wheel)), bytes)
      assert.deepEqual(await readFile(index.path(wheel.replace('open-lib', 'Open_Lib'))), bytes)
    }
  })

  it('reports strays, and what crashes have left, which goes when it is a day old', async () => {
    await using index = await installation()
    const young = ['open-lib/1.9/.metadata.0a1b2c3d', 'open-lib/9.9/open_lib-9.9.zip.meta']
    for (const key of young) await write(index.path(key), '{}')
    await write(index.path('.ppc-upload-0123456789abcdef.meta'), 'half')
    await write(index.path('README.txt'), 'hello')
    const report = await index.repair()
    assert.deepEqual(found(report), [
      'leftover .ppc-upload-0123456789abcdef.meta',
      'leftover open-lib/1.9/.metadata.0a1b2c3d',
      'leftover open-lib/9.9/open_lib-9.9.zip.meta',
      'stray README.txt',
    ])
    assert.equal(report.open, 4)
  })

  it('looks at chosen projects only', async () => {
    await using index = await installation()
    await rm(index.path('secret-lib'), {recursive: true})
    await rm(index.path('adminonly'), {recursive: true})
    const report = await index.verify({projects: new Set(['secret-lib', 'eggy'])})
    assert.deepEqual(found(report), ['missing secret-lib/0.1/secret-lib-0.1.tar.gz'])
    assert.equal(report.files, 1)
  })
})

describe('Verifying a bucket', needs('moto'), () => {
  it('tells apart what it may not read, what is missing and what is stored twice', async () => {
    await using moto = await startService('moto')
    await using proxy = await startFaultProxy(moto.url)
    await using store = await openS3Store(await s3Config(proxy.url))
    await using dir = await tempDir()
    await using cache = await openFile(dir.join('cache.db'))
    const parts = {storage: new PackageStorage(store), cache}
    for (const key of ['a/a-1.0.zip', 'b/b-1.0.zip', 'c/c-1.0.zip', 'd/d-1.0.zip']) {
      await store.put(key, bodyOf(key), {replace: false})
    }
    await rebuildCache(parts, {owner: 'a test'})
    await store.put('other/a-1.0.zip', bodyOf('a second one'), {replace: false})
    await store.delete('d/d-1.0.zip')
    proxy.faults = [
      {method: 'HEAD', path: 'b-1.0', fault: {kind: 'answer', status: 403}},
      {method: 'GET', path: 'c-1.0', fault: s3Error(403, 'AccessDenied')},
    ]
    const report = await verifyIndex(parts, {digests: true})
    assert.deepEqual(found(report), [
      'doubled other/a-1.0.zip',
      'missing d/d-1.0.zip',
      'unreadable b/b-1.0.zip',
      'unreadable c/c-1.0.zip',
    ])
    assert.equal(report.open, 4)
  })
})

describe('Verifying a bucket that has a file twice', needs('moto'), () => {
  it('takes the one that is served, and lets --repair keep it', async () => {
    await using moto = await startService('moto')
    await using store = await openS3Store(await s3Config(moto.url))
    await using dir = await tempDir()
    await using cache = await openFile(dir.join('cache.db'))
    const storage = new PackageStorage(store)
    const metadata = {name: 'a', version: '1.0', hash_sha256: 'ab'.repeat(32)} // not that of its bytes
    await store.put('served/a-1.0.zip', bodyOf('served'), {replace: false, metadata})
    await rebuildCache({storage, cache}, {owner: 'a test'})
    await store.put('first/a-1.0.zip', bodyOf('another'), {replace: false})
    for (const repair of [undefined, {owner: 'a test'}]) {
      const report = await verifyIndex({storage, cache}, {digests: true, ...(repair && {repair})})
      assert.deepEqual(found(report), ['damaged served/a-1.0.zip', 'doubled first/a-1.0.zip'])
      assert.equal((await cache.findFile('a-1.0.zip'))?.data.path, 'served/a-1.0.zip')
    }
    await store.delete('served/a-1.0.zip')
    await verifyIndex({storage, cache}, {digests: false, repair: {owner: 'a test'}})
    assert.equal((await cache.findFile('a-1.0.zip'))?.data.path, 'first/a-1.0.zip')
  })
})

describe('Verifying a bucket whose services freeze', needs('versitygw', 'redis'), () => {
  it('goes on where it was when they do', async () => {
    await using gateway = await startService('versitygw')
    await using redis = await startService('redis')
    await using store = await openS3Store(await s3Config(gateway.url, {}, gateway))
    await using cache = await openRedis(`${redis.url}/0`)
    const parts = {storage: new PackageStorage(store), cache}
    const keys = Array.from({length: 60}, (_, index) => `p${index}/p${index}-1.0.zip`)
    await Promise.all(keys.map(key => store.put(key, bodyOf(key), {replace: false})))
    await rebuildCache(parts, {owner: 'a test'})
    const added = 'added/added-1.0.zip' // the first in the listing: the others are under way when it is found
    await store.put(added, bodyOf(added), {replace: false})
    const freeze = async () => {
      const pids = [gateway.pid, redis.pid]
      for (const pid of pids) process.kill(pid, 'SIGSTOP')
      await sleep(1000)
      for (const pid of pids) process.kill(pid, 'SIGCONT')
    }
    for (const repair of [undefined, {owner: 'a test'}]) {
      const frozen: Promise<void>[] = []
      const report = await verifyIndex(parts, {
        digests: true,
        ...(repair && {repair}),
        onFinding: () => void frozen.push(freeze()),
      })
      await Promise.all(frozen)
      assert.deepEqual(found(report), [`unlisted ${added}`])
      assert.deepEqual([report.files, report.open], [61, repair ? 0 : 1])
    }
    assert.deepEqual(found(await verifyIndex(parts, {digests: true})), [])
  })
})
