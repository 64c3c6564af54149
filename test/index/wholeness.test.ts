import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {completeMark, fillingMark} from '../../src/lib/cache/cache.js'
import {ListNotWhole} from '../../src/lib/index/wholeness.js'
import {PackageIndex} from '../../src/lib/index/package-index.js'
import {rebuildCache} from '../../src/lib/tasks/rebuild/rebuild.js'
import {redisCli} from '../services/redis.js'
import {startService} from '../services/index.js'
import {needs} from '../support/needs.js'
import {buildWheel} from '../support/wheels.js'
import {freshIndex, uploadOf} from './open-index.js'

type Opened = Awaited<ReturnType<typeof freshIndex>>

const publish = async ({directory, index}: Opened, version: string) => {
  const upload = await uploadOf(directory, await buildWheel({name: 'lib', version}))
  return (await index.publish(upload, {overwrite: false})).file
}
const rebuild = (opened: Opened) => rebuildCache(opened.index.rebuildParts, {owner: 'test'})

describe('a cache that lists a part of the files', () => {
  it('is not taken for the whole list while an empty one is filled, and nothing is deleted by it', async () => {
    await using opened = await freshIndex()
    const {cache, index} = opened
    const file = await publish(opened, '1')
    await cache.setState(fillingMark, '2026-01-01T00:00:00Z') // by a rebuild that was killed
    await assert.rejects(index.listFiles('lib'), ListNotWhole)
    await assert.rejects(index.listProjects(), ListNotWhole)
    await assert.rejects(index.remove(file), ListNotWhole)
    await assert.rejects(index.projectNotes.yank('lib', '1', {by: 'ada'}), ListNotWhole)
    assert.equal((await rebuild(opened)).complete, true)
    assert.equal(await cache.getState(fillingMark), undefined)
    assert.equal((await index.listFiles('lib')).length, 1)
  })

  it('is answered where pypicloud wrote it, which never said that it is complete', async () => {
    await using opened = await freshIndex()
    await publish(opened, '1')
    assert.equal(await opened.cache.getState(completeMark), undefined)
    assert.equal((await opened.index.listFiles('lib')).length, 1)
  })

  it('is refused once Redis has forgotten everything, by every process', needs('redis'), async () => {
    await using redis = await startService('redis')
    await using opened = await freshIndex({'pypi.db': 'redis', 'db.url': redis.url})
    await publish(opened, '1')
    await rebuild(opened)
    assert.deepEqual(await opened.index.listProjects(), ['lib'])
    await redisCli(['-p', String(redis.port), 'flushall'])
    await publish(opened, '2')
    await assert.rejects(opened.index.listFiles('lib'), ListNotWhole)
    const later = new PackageIndex(opened)
    await assert.rejects(later.listFiles('lib'), ListNotWhole)
    await rebuild(opened)
    assert.equal((await later.listFiles('lib')).length, 2)
  })
})
