import assert from 'node:assert/strict'
import {writeFile} from 'node:fs/promises'
import {after, before, beforeEach, describe, it} from 'node:test'
import {PutBucketPolicyCommand, type S3Client} from '@aws-sdk/client-s3'
import {completeMark} from '../../src/lib/cache/cache.js'
import {s3Client} from '../../src/lib/storage/s3/client.js'
import {readS3Settings} from '../../src/lib/storage/s3/settings.js'
import {openS3Store} from '../../src/lib/storage/s3/s3.js'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {openDirectory} from '../../src/lib/storage/file/file.js'
import {isOddity, type ObjectStore} from '../../src/lib/storage/storage.js'
import {migrateFiles} from '../../src/lib/tasks/migrate/migrate.js'
import {rebuildCache, type RebuildOptions} from '../../src/lib/tasks/rebuild/rebuild.js'
import {verifyIndex} from '../../src/lib/tasks/verify/verify.js'
import {tool} from '../commands/tool.js'
import {bodyOf} from '../contracts/object-store.js'
import {startService} from '../services/index.js'
import type {Versitygw} from '../services/versitygw.js'
import {s3Config} from '../storage/s3-services.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {installationOf, rowsOf, type Installation} from './rebuild-places.js'

const user = {accessKeyId: 'operator-key', secretAccessKey: 'operator-secret'}
/** More than may fail one after another for another reason than that they are refused. */
const hiddenVersions = Array.from({length: 40}, (_, version) => String(version))

/** Everything is the operator's but objects of the project `hidden`, which are listed all the same. */
const policyFor = (bucket: string) => ({
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: {AWS: user.accessKeyId},
      Action: ['s3:*'],
      Resource: [`arn:aws:s3:::${bucket}`, `arn:aws:s3:::${bucket}/*`],
    },
    {
      Effect: 'Deny',
      Principal: {AWS: user.accessKeyId},
      Action: ['s3:GetObject'],
      Resource: [`arn:aws:s3:::${bucket}/hidden/*`],
    },
  ],
})

describe('A bucket whose policy hides some objects', needs('versitygw'), () => {
  let service: Versitygw
  let admin: S3Client
  let bucket: string
  /** With all rights. */
  let store: ObjectStore
  let index: Installation
  before(async () => {
    service = await startService('versitygw', {user})
    admin = s3Client(readS3Settings(await s3Config(service.url, {}, service)), 'us-east-1')
  })
  after(async () => {
    admin.destroy()
    await service[Symbol.asyncDispose]()
  })
  let buckets = 0
  beforeEach(async context => {
    bucket = `hiding-${(buckets += 1)}`
    store = await openS3Store(
      await s3Config(service.url, {'storage.bucket': bucket, 'storage.prepend_hash': 'false'}, service),
    )
    for (const version of hiddenVersions) await put('hidden', version)
    for (const project of ['before', 'seen']) await put(project, '1')
    const Policy = JSON.stringify(policyFor(bucket))
    await admin.send(new PutBucketPolicyCommand({Bucket: bucket, Policy}))
    index = await installationOf({
      'pypi.storage': 's3',
      'storage.bucket': bucket,
      'storage.prepend_hash': 'false',
      'storage.endpoint_url': service.url,
      'storage.region_name': 'us-east-1',
      'storage.aws_access_key_id': user.accessKeyId,
      'storage.aws_secret_access_key': user.secretAccessKey,
      'db.url': 'sqlite:///%(here)s/cache.db',
    })
    if ('after' in context) {
      context.after(async () => {
        await index[Symbol.asyncDispose]()
        await store[Symbol.asyncDispose]()
      })
    }
  })

  const keyOf = (project: string, version: string) => `${project}/${project}-${version}.tar.gz`
  const put = (project: string, version: string) =>
    store.put(keyOf(project, version), bodyOf(`${project} ${version}`), {replace: true})
  /** Rows of everything, as somebody with all rights has made them. */
  async function fill(): Promise<void> {
    const parts = {storage: new PackageStorage(store), cache: index.cache}
    const report = await rebuildCache(parts, {owner: 'all'})
    assert.deepEqual([report.unread, report.complete], [0, true])
  }
  const rebuild = (options: Partial<RebuildOptions> = {}) =>
    rebuildCache(index, {owner: 'the test', ...options})

  it('is rebuilt as far as it can be seen, and the cache is not called complete', async () => {
    const report = await rebuild()
    assert.deepEqual([report.added, report.unread, report.complete], [2, hiddenVersions.length, false])
    const named = report.oddities.filter(({unreadable}) => unreadable).map(({key}) => key)
    assert.deepEqual(named.sort(), hiddenVersions.map(version => keyOf('hidden', version)).sort())
    assert.equal(await index.cache.getState(completeMark), undefined)
  })

  it('keeps the rows of what it hides, also where nobody can tell whether the object is there', async () => {
    await fill()
    const rows = await rowsOf(index.cache)
    await store.delete(keyOf('hidden', '0'))
    await store.delete(keyOf('before', '1'))
    await put('seen', '2')
    for (const full of [false, true]) {
      const report = await rebuild({full})
      // an object that is known is not asked about, but for --full; one that is gone is asked about, and refused
      assert.equal(report.unread, full ? hiddenVersions.length : 1)
      assert.ok(report.oddities.some(({key, unreadable}) => unreadable && key === keyOf('hidden', '0')))
    }
    const expected = {...rows}
    delete expected['before-1.tar.gz']
    const {'seen-2.tar.gz': added, ...left} = await rowsOf(index.cache)
    assert.ok(added)
    assert.deepEqual(left, expected)
  })

  it('keeps the row of a hidden object when a second one of its name can be seen', async () => {
    await fill()
    await store.put('elsewhere/hidden-3.tar.gz', bodyOf('other bytes'), {replace: true})
    const row = await index.cache.findFile('hidden-3.tar.gz')
    const report = await rebuild()
    assert.match(report.oddities[0]?.reason ?? '', /is a second file .* may not be looked at, and stays/)
    assert.deepEqual(await index.cache.findFile('hidden-3.tar.gz'), row)
  })

  it('ends ppc-rebuild-cache with 3, which names each object to cron', async () => {
    const run = (args: string) => tool(index.dir.path, `ppc-rebuild-cache server.ini ${args}`)
    const quiet = await run('--quiet')
    assert.deepEqual([quiet.code, quiet.stdout], [3, ''])
    for (const version of hiddenVersions)
      assert.ok(quiet.stderr.includes(`could not be read: ${keyOf('hidden', version)}: `))
    assert.match(quiet.stderr, /^40 objects could not be read/m)
    const json = await run('--full --json')
    assert.deepEqual([json.code, json.stderr], [3, ''])
    const report = JSON.parse(json.stdout) as {unread: number; unchanged: number}
    assert.deepEqual([report.unread, report.unchanged], [40, 2])
  })

  it('is migrated as far as it can be seen, with 3 and the names of the others', async () => {
    await writeFile(
      index.dir.join('new.ini'),
      '[app:main]\nuse = egg:pypicloud\npypi.storage = file\nstorage.dir = %(here)s/new\ndb.url = sqlite:///%(here)s/new.db\n',
    )
    // one at a time: all that is refused comes in one stretch
    const args = '--quiet --concurrency 1 --delete-source --yes --report report.json'
    const {code, stderr} = await tool(index.dir.path, `ppc-migrate server.ini new.ini ${args}`)
    assert.equal(code, 3, stderr)
    for (const version of hiddenVersions) assert.ok(stderr.includes(`failed: hidden-${version}.tar.gz: `))
    await using target = await openDirectory(index.dir.join('new'))
    assert.deepEqual(await keysOf(target), ['before/1/before-1.tar.gz', 'seen/1/seen-1.tar.gz'])
    const left = await keysOf(store)
    assert.deepEqual(left, hiddenVersions.map(version => keyOf('hidden', version)).sort())
  })

  it('lets a mirror remove nothing', async () => {
    await using dir = await tempDir()
    await using target = await openDirectory(dir.join('new'))
    await target.put('old/1/old-1.tar.gz', bodyOf('old'), {replace: false})
    const report = await migrateFiles(index.storage.store, target, {strategy: 'mirror'})
    assert.deepEqual([report.copied, report.failedCount, report.removed], [2, hiddenVersions.length, 0])
    assert.match(report.warnings.join(), /nothing was removed from .*: some files failed/)
  })

  it('is verified as far as it can be seen, and --repair removes no row', async () => {
    await fill()
    await store.delete(keyOf('hidden', '0'))
    await store.delete(keyOf('before', '1'))
    const rows = await rowsOf(index.cache)
    const {code, stderr} = await tool(index.dir.path, 'ppc verify server.ini --quiet')
    assert.equal(code, 4)
    for (const version of hiddenVersions)
      assert.match(stderr, new RegExp(`^unreadable: ${keyOf('hidden', version)} `, 'm'))
    assert.match(stderr, /^missing: before\/before-1\.tar\.gz /m)
    const repaired = await verifyIndex(index, {digests: true, repair: {owner: 'the test'}})
    assert.deepEqual([repaired.counts.unreadable, repaired.open], [40, 40])
    delete rows['before-1.tar.gz']
    assert.deepEqual(await rowsOf(index.cache), rows)
  })
})

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = []
  for await (const entry of store.list('')) if (!isOddity(entry)) keys.push(entry.key)
  return keys.sort()
}
