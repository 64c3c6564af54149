import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import {completeMark, type Cache} from '../../src/lib/cache/cache.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {startService, type Service} from '../services/index.js'
import {needs} from '../support/needs.js'
import {startBesideOriginal, type BesideOriginal} from './beside-original.js'
import {open} from './open-redis.js'

describe('pypicloud and this cache on one Redis server', needs('pypicloud', 'redis', 'redis-cli'), () => {
  let redis: Service
  let original: BesideOriginal
  let cache: Cache
  before(async () => {
    redis = await startService('redis')
    original = await startBesideOriginal(['pypi.db = redis', `db.url = ${redis.url}/4`])
    cache = await open(`${redis.url}/4`)
  })
  after(async () => {
    await cache[Symbol.asyncDispose]()
    await original[Symbol.asyncDispose]()
    await redis[Symbol.asyncDispose]()
  })
  const ours: DistFile = {
    filename: 'ours-1.0-py3-none-any.whl',
    name: 'ours',
    version: '1.0',
    lastModified: new Date(),
    summary: 'über 🎉',
    data: {size: 5, fingerprint: 'a', uploader: 'bob', upload_time: '2026-11-20T23:09:52.673762Z'},
  }

  it('what either writes and deletes, the other shows at once', async () => {
    const token = await cache.changeToken()
    await original.upload('theirs', '1.0')
    assert.notEqual(await cache.changeToken(), token)
    const [found] = await cache.listFiles('theirs')
    assert.equal(found?.filename, 'theirs-1.0.tar.gz')
    assert.equal(found.summary, 'Zähler 1.0')
    assert.equal(found.data.requires_python, '>=3')
    await cache.save([ours])
    assert.deepEqual(await original.page('ours'), [ours.filename])
    assert.equal((await original.summaries()).find(({name}) => name === 'ours')?.summary, ours.summary)
    await original.remove('theirs', 'theirs-1.0.tar.gz')
    assert.deepEqual(await cache.listProjects(), ['ours'])
    await cache.remove([ours])
    assert.deepEqual(await original.page('ours'), [])
  })

  it('its rebuild ends the complete mark, its uploads do not, and it reads rows that bear witness', async () => {
    await original.upload('kept', '1.0')
    await cache.setState(completeMark, 'now')
    await original.upload('kept', '2.0')
    await original.upload('kept', '1.1')
    assert.equal(await cache.getState(completeMark), 'now')
    assert.deepEqual(await original.page('kept'), ['kept-1.0.tar.gz', 'kept-1.1.tar.gz', 'kept-2.0.tar.gz'])
    await original.rebuild()
    assert.equal((await cache.listFiles('kept')).length, 3)
    assert.equal(await cache.getState(completeMark), undefined)
  })
})
