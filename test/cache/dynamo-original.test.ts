import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import {completeMark} from '../../src/lib/cache/cache.js'
import type {DynamoCache} from '../../src/lib/cache/dynamo/dynamo.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {startService, type Service} from '../services/index.js'
import {needs} from '../support/needs.js'
import {startBesideOriginal, type BesideOriginal} from './beside-original.js'
import {openDynamo, settingsFor} from './open-dynamo.js'

const ours: DistFile = {
  filename: 'ours-1.0-py3-none-any.whl',
  name: 'ours',
  version: '1.0',
  lastModified: new Date('2026-11-20T23:09:52.673Z'),
  summary: 'über 🎉',
  data: {size: 5, fingerprint: 'a', uploader: 'bob', upload_time: '2026-11-20T23:09:52.673762Z'},
}

describe('pypicloud and this cache on the same DynamoDB tables', needs('pypicloud', 'ministack'), () => {
  let service: Service
  let original: BesideOriginal
  let cache: DynamoCache
  before(async () => {
    service = await startService('ministack')
    const {hostname, port} = new URL(service.url)
    const {accessKeyId = '', secretAccessKey = ''} = settingsFor(service.url)
    original = await startBesideOriginal([
      'pypi.db = dynamo',
      `db.host = ${hostname}`,
      `db.port = ${port}`,
      'db.region_name = us-east-1',
      `db.aws_access_key_id = ${accessKeyId}`,
      `db.aws_secret_access_key = ${secretAccessKey}`,
      'db.namespace = shared-',
    ])
    cache = await openDynamo(service.url, {namespace: 'shared-'})
  })
  after(async () => {
    await cache[Symbol.asyncDispose]()
    await original[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })

  it('what either writes and deletes, the other shows', async () => {
    await original.upload('theirs', '1.0')
    const [found] = await cache.listFiles('theirs')
    assert.equal(found?.filename, 'theirs-1.0.tar.gz')
    assert.equal(found.summary, 'Zähler 1.0')
    assert.equal(found.data.requires_python, '>=3')
    await cache.save([ours])
    assert.deepEqual(await original.page('ours'), [ours.filename])
    assert.equal((await original.summaries()).find(({name}) => name === 'ours')?.summary, ours.summary)
    await original.remove('theirs', 'theirs-1.0.tar.gz')
    assert.deepEqual(await cache.listProjects(), ['ours'])
    assert.deepEqual(await cache.listFiles('theirs'), [])
    await cache.remove([ours])
    assert.deepEqual(await original.page('ours'), [])
    assert.deepEqual(await original.summaries(), [])
  })

  it('both in one project: each finds the files of the other, and the last one ends it', async () => {
    const name = 'both'
    const wheel = {...ours, filename: 'both-2.0-py3-none-any.whl', name, version: '2.0'}
    await original.upload(name, '1.0')
    await cache.save([wheel])
    assert.deepEqual(new Set(await original.page(name)), new Set(['both-1.0.tar.gz', wheel.filename]))
    assert.equal((await cache.listFiles(name)).length, 2)
    await cache.remove([wheel])
    assert.deepEqual(await original.page(name), ['both-1.0.tar.gz'])
    await original.remove(name, 'both-1.0.tar.gz')
    assert.deepEqual(await cache.listFiles(name), [])
    assert.ok(!(await cache.listProjects()).includes(name))
  })

  it('uploads of both at the same time are all there', async () => {
    const versions = Array.from({length: 10}, (_, i) => `1.${i}`)
    await Promise.all([
      ...versions.map(version => original.upload('busy', version)),
      ...versions.map(version =>
        cache.save([{...ours, filename: `busy-${version}-py3-none-any.whl`, name: 'busy', version}]),
      ),
    ])
    assert.equal((await cache.listFiles('busy')).length, 20)
    assert.equal((await original.page('busy')).length, 20)
  })

  it('its rebuild drops the tables, which ends the complete mark, and its uploads do not', async () => {
    await original.upload('kept', '1.0')
    await cache.setState(completeMark, 'now')
    await original.upload('kept', '1.1')
    assert.equal(await cache.getState(completeMark), 'now')
    await original.rebuild()
    const deadline = performance.now() + 10_000 // the tables are looked up once a second
    while ((await cache.getState(completeMark)) !== undefined && performance.now() < deadline) {
      await new Promise(resolve => setTimeout(resolve, 100))
    }
    assert.equal(await cache.getState(completeMark), undefined)
    assert.deepEqual((await cache.listFiles('kept')).map(({version}) => version).sort(), ['1.0', '1.1'])
    await cache.save([{...ours, name: 'kept', filename: 'kept-1.2.tar.gz', version: '1.2'}])
    assert.equal((await original.page('kept')).length, 3)
    assert.equal(await original.health(), 200)
  })
})
