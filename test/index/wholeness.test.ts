import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import {completeMark, fillingMark} from '../../src/lib/cache/cache.js'
import {LockHeld} from '../../src/lib/errors.js'
import {ListNotWhole} from '../../src/lib/index/wholeness.js'
import {PackageIndex} from '../../src/lib/index/package-index.js'
import {rebuildCache} from '../../src/lib/tasks/rebuild/rebuild.js'
import {serve} from '../../src/lib/server/serve.js'
import {redisCli, type Redis} from '../services/redis.js'
import {startService} from '../services/index.js'
import {needs} from '../support/needs.js'
import {insist} from '../support/wait.js'
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

  it('is read again when a rebuild ends in that moment, and what was not found is looked for again', async () => {
    await using opened = await freshIndex()
    const row = await publish(opened, '1')
    await rebuild(opened)
    const {cache} = opened
    /** Everything was dropped; it is there again before anybody can ask whether it is all. */
    const losing = async () => {
      await cache.remove([row])
      let isFull = false
      const refill = async <T>(found: T): Promise<T> => {
        if (!isFull) await rebuild(opened)
        isFull = true
        return found
      }
      return new PackageIndex({
        ...opened,
        cache: {
          ...cache, // no methods
          name: cache.name,
          countFiles: () => cache.countFiles(),
          getState: key => cache.getState(key),
          setState: (...fact) => cache.setState(...fact),
          listFiles: async project => refill(await cache.listFiles(project)),
          findFile: async filename => refill(await cache.findFile(filename)),
        },
      })
    }
    assert.equal((await (await losing()).listFiles('lib')).length, 1)
    assert.equal(await (await losing()).lacks(row.filename), false)
    assert.equal(await opened.index.lacks('lib-2-py3-none-any.whl'), true)
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

  describe(
    'and processes that begin in the moment in which Redis has come back empty',
    needs('redis'),
    () => {
      let redis: Redis
      before(async () => (redis = await startService('redis')))
      after(() => redis[Symbol.asyncDispose]())

      const forget = () => redisCli(['-p', String(redis.port), 'flushall'])
      const filled = async () => {
        await forget()
        const settings = {'pypi.db': 'redis', 'db.url': redis.url, 'pypi.default_read': 'everyone'}
        const opened = await freshIndex(settings)
        await publish(opened, '1')
        await rebuild(opened)
        assert.deepEqual(await opened.index.listProjects(), ['lib'])
        return opened
      }
      /** As a server does before it answers. */
      const beginning = async (opened: Opened) => {
        const index = new PackageIndex(opened)
        await index.wholeness.begin()
        return index
      }

      it('do not take the next upload for all there is', async () => {
        await using opened = await filled()
        await forget()
        const later = await beginning(opened)
        await publish(opened, '2')
        await assert.rejects(later.listFiles('lib'), ListNotWhole)
        await rebuild(opened)
        assert.equal((await later.listFiles('lib')).length, 2)
      })
      it('nor one that an older process has just taken', async () => {
        await using opened = await filled()
        await forget()
        await publish(opened, '2')
        const later = await beginning(opened)
        await assert.rejects(later.listFiles('lib'), ListNotWhole)
        await assert.rejects(opened.index.listFiles('lib'), ListNotWhole)
      })
      it('nor what is there when everything is lost again while it is filled', async () => {
        await using opened = await filled()
        await forget()
        const later = await beginning(opened)
        const row = await publish(opened, '2')
        await assert.rejects(later.listFiles('lib'), ListNotWhole)
        await forget()
        await opened.cache.save([row]) // by somebody who does not look
        await assert.rejects(later.listFiles('lib'), ListNotWhole)
      })
      it('nor the first upload after that, though a rebuild has begun and noted it', async () => {
        await using opened = await filled()
        await forget()
        const later = await beginning(opened)
        await forget()
        await opened.cache.setState('of a rebuild', 'begun')
        const row = await uploadOf(opened.directory, await buildWheel({name: 'lib', version: '3'}))
        await new PackageIndex(opened).publish(row, {overwrite: false})
        await assert.rejects(later.listFiles('lib'), ListNotWhole)
      })
      it('say so as servers: 503 rather than a part, until all is there', async () => {
        await using opened = await filled()
        await forget()
        // else it would be whole again before anybody could ask
        const lock = await opened.cache.acquireLock('rebuild', {owner: 'another host'})
        const server = await serve(opened.config, {port: 0, signals: false})
        try {
          await publish(opened, '2')
          const ask = () => fetch(`${server.url}/simple/lib/`)
          assert.equal((await ask()).status, 503)
          await lock[Symbol.asyncDispose]()
          await insist(
            () => rebuild(opened),
            error => error instanceof LockHeld, // by the server, which looks from time to time
          )
          const page = await ask()
          assert.equal(page.status, 200)
          assert.match(await page.text(), /lib-1-py3-none-any\.whl[^]*lib-2|lib-2-py3-none-any\.whl[^]*lib-1/)
        } finally {
          await lock[Symbol.asyncDispose]()
          await server.close()
        }
      })
      it('answer the rows of pypicloud, which has no marks', async () => {
        await using opened = await filled()
        await redisCli(['-p', String(redis.port), 'del', 'ppc-toolkit:{pypicloud}:state'])
        const later = await beginning(opened)
        assert.equal((await later.listFiles('lib')).length, 1)
      })
    },
  )
})
