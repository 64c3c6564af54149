import assert from 'node:assert/strict'
import {readFile, utimes} from 'node:fs/promises'
import {basename} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {UsageError} from '../../src/lib/errors.js'
import {Notes} from '../../src/lib/index/notes.js'
import {openDirectory} from '../../src/lib/storage/file/file.js'
import {openS3Store} from '../../src/lib/storage/s3/s3.js'
import type {ObjectStore} from '../../src/lib/storage/storage.js'
import {migrateFiles} from '../../src/lib/tasks/migrate/migrate.js'
import {bodyOf} from '../contracts/object-store.js'
import {s3Error, startFaultProxy, type FaultProxy} from '../services/fault-proxy.js'
import {startService, type Service} from '../services/index.js'
import {s3Config} from '../storage/s3-services.js'
import {needs} from '../support/needs.js'
import {allDigestsAreRight, keysIn, twoPlaces} from './migrate-places.js'

const whl = 'open-lib/1.9/open_lib-1.9-py3-none-any.whl'

describe('Migrating to S3 and back', needs('versitygw'), () => {
  let service: Service & {accessKeyId: string; secretAccessKey: string}
  let proxy: FaultProxy
  before(async () => {
    service = await startService('versitygw')
    proxy = await startFaultProxy(service.url)
  })
  after(async () => {
    await proxy[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })
  const bucket = async (prefix: string): Promise<ObjectStore> =>
    openS3Store(await s3Config(proxy.url, {'storage.prefix': prefix}, service))

  it('keeps bytes, metadata and times, and copies nothing twice', async () => {
    await using dir = await twoPlaces()
    await using store = await bucket('there/')
    await utimes(dir.join('old', whl), 1_700_000_000.5, 1_700_000_000.5)
    await new Notes(dir.source).seal(['acme-core'])
    const there = await migrateFiles(dir.source, store)
    assert.deepEqual([there.copied, there.failed, there.warnings], [14, [], []])
    proxy.requests.length = 0
    assert.equal((await migrateFiles(dir.source, store)).skipped, 14)
    assert.deepEqual(
      proxy.requests.filter(({method, path}) => method === 'GET' && path.includes('.whl')),
      [],
    )
    const back = await migrateFiles(store, dir.target)
    assert.deepEqual([back.copied, back.failed], [14, []])
    assert.deepEqual(await keysIn(dir.join('new')), await keysIn(dir.join('old')))
    assert.equal(await allDigestsAreRight(dir.join('new')), 14)
    assert.equal((await dir.target.stat(whl)).modified.getTime(), 1_700_000_000_500)
    assert.deepEqual([...(await new Notes(dir.target).sealed())], ['acme-core'])
    const again = await migrateFiles(store, dir.target)
    assert.deepEqual([again.copied, again.skipped], [0, 14])
  })

  it('says already by a dry run which files can not lie in a directory', async () => {
    await using dir = await twoPlaces()
    await using store = await bucket('odd/')
    const metadata = {name: 'eggy', version: '1/2'}
    await store.put('odd/eggy/eggy-1.zip', bodyOf('egg'), {replace: false, metadata})
    for (const dryRun of [true, false]) {
      const {copied, failed} = await migrateFiles(store, dir.target, {dryRun})
      assert.deepEqual([copied, failed.map(({filename}) => filename)], [0, ['eggy-1.zip']], `${dryRun}`)
    }
  })

  it('knows the project of a file in the directory of another one, also for --only', async () => {
    await using dir = await twoPlaces()
    await using store = await bucket('elsewhere/')
    const bytes = await readFile(dir.join('old', whl))
    const metadata = {name: 'open-lib', version: '1.9'}
    await store.put(`elsewhere/uploads/${basename(whl)}`, bodyOf(bytes), {replace: false, metadata})
    const only = ['open-lib']
    const copied = await migrateFiles(store, dir.target, {only})
    assert.deepEqual([copied.copied, copied.warnings], [1, []])
    await utimes(dir.join('new', whl), 1_600_000_000, 1_600_000_000)
    assert.equal((await migrateFiles(store, dir.target, {only, strategy: 'mirror'})).removed, 0)
    assert.deepEqual(await keysIn(dir.join('new')), [whl])
  })

  it('copies inside the service from one prefix to another', async () => {
    await using dir = await twoPlaces()
    await using one = await bucket('one/')
    await using two = await bucket('two/')
    await migrateFiles(dir.source, one)
    proxy.requests.length = 0
    const report = await migrateFiles(one, two)
    assert.deepEqual([report.copied, report.failed], [14, []])
    await migrateFiles(two, dir.target)
    assert.equal(await allDigestsAreRight(dir.join('new')), 14)
  })

  it('copies where links are asked for and none can be made, and says so', async () => {
    await using dir = await twoPlaces()
    await using store = await bucket('no-links/')
    const report = await migrateFiles(dir.source, store, {link: 'hard'})
    assert.deepEqual([report.copied, report.failed], [14, []])
    assert.match(
      report.warnings.join(),
      /^no hard link could be made from .* to s3:.*: files copied instead: 14$/,
    )
  })

  it('refuses one bucket under two addresses, where the keys of one can be keys of the other', async () => {
    await using dir = await twoPlaces()
    await using outer = await bucket('over/')
    await migrateFiles(dir.source, outer)
    for (const prefix of ['over/', 'over/in/', '']) {
      await using other = await openS3Store(await s3Config(service.url, {'storage.prefix': prefix}, service))
      await assert.rejects(migrateFiles(outer, other), UsageError)
      await assert.rejects(migrateFiles(other, outer), UsageError)
    }
    await using sibling = await openS3Store(
      await s3Config(service.url, {'storage.prefix': 'beside/'}, service),
    )
    const report = await migrateFiles(outer, sibling)
    assert.deepEqual([report.copied, report.oddityCount], [14, 0])
  })

  it('loses nothing over a connection that fails in every way', async () => {
    await using dir = await twoPlaces()
    await using store = await bucket('faults/')
    proxy.faults = [
      {method: 'PUT', path: '.whl', first: 3, fault: {kind: 'cut-upload', afterBytes: 100}},
      {method: 'PUT', path: '.tar.gz', first: 2, fault: {kind: 'lose-answer'}},
      {method: 'PUT', path: '.zip', first: 1, fault: {kind: 'reset'}},
      {method: 'GET', path: '.whl', first: 3, fault: {kind: 'truncate', afterBytes: 50}},
      {method: 'GET', path: '.tar.gz', first: 3, fault: {kind: 'reset', afterBytes: 50}},
      {method: 'HEAD', first: 2, fault: s3Error(503, 'SlowDown')},
    ]
    const up = await migrateFiles(dir.source, store)
    assert.deepEqual([up.copied + up.skipped, up.failed], [14, []])
    const down = await migrateFiles(store, dir.target)
    assert.deepEqual([down.copied, down.failed], [14, []])
    proxy.faults = []
    assert.equal(await allDigestsAreRight(dir.join('new')), 14)
    assert.equal((await migrateFiles(dir.source, store, {verifyOnly: true})).verified, 14)
  })

  it('asks once for each file that it moves', async () => {
    await using dir = await twoPlaces()
    await using store = await bucket('once/')
    const requests = () =>
      proxy.requests.filter(({path}) => /\.(?:whl|egg|zip|gz)\b/.test(path)).map(({method}) => method)
    proxy.requests.length = 0
    assert.equal((await migrateFiles(dir.source, store)).copied, 14)
    assert.deepEqual(requests(), Array(14).fill('PUT'))
    proxy.requests.length = 0
    assert.equal((await migrateFiles(store, dir.target)).copied, 14)
    assert.deepEqual(requests(), Array(14).fill('GET'))
  })

  it('counts as failed what it may not look at, since that may be a package', async () => {
    await using dir = await twoPlaces()
    await using store = await bucket('hidden/')
    await migrateFiles(dir.source, store)
    proxy.faults = [{path: 'eggy-1.0', fault: s3Error(403, 'AccessDenied')}]
    for (const dryRun of [true, false]) {
      const {copied, failed, oddityCount} = await migrateFiles(store, dir.target, {dryRun})
      assert.deepEqual([copied, oddityCount, failed[0]?.filename], [13, 0, 'eggy-1.0-py2.7.egg'])
    }
    proxy.faults = []
  })

  it('stops early when everything is refused', async () => {
    await using dir = await twoPlaces()
    await using store = await bucket('refused/')
    const many = await openDirectory(dir.join('many'))
    for (let index = 0; index < 200; index += 1) {
      const body = await dir.source.open(whl)
      await many.put(`p${index}/1.0/p${index}-1.0.zip`, {size: 959, open: () => body}, {replace: false})
    }
    proxy.faults = [{method: 'PUT', path: '.zip', fault: s3Error(403, 'AccessDenied')}]
    const report = await migrateFiles(many, store, {concurrency: 8})
    proxy.faults = []
    assert.ok(report.failedCount < 60, `${report.failedCount}`)
    assert.match(report.stopped?.reason ?? '', /\w/)
    assert.equal(report.copied, 0)
  })
})
