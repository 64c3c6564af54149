import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import {PackageIndex} from '../../src/lib/index/package-index.js'
import {ObjectMissing} from '../../src/lib/storage/storage.js'
import {rebuildCache} from '../../src/lib/tasks/rebuild/rebuild.js'
import {ObjectSync} from '../../src/lib/tasks/sync/object-sync.js'
import {bodyOf} from '../contracts/object-store.js'
import {needs} from '../support/needs.js'
import {
  bucket as bucketPlace,
  cacheEqualsStorage,
  cachePlaces,
  fileOf,
  installationOf,
  rowsOf,
  type StartedPlace,
} from './rebuild-places.js'

const unlessMissing = (error: unknown): void => {
  if (!(error instanceof ObjectMissing)) throw error
}

/** Numbers that are the same in every run. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    yield state / 2 ** 32
  }
}

describe('Bringing single objects in step', needs('versitygw'), () => {
  let storage: StartedPlace
  before(async () => {
    storage = await bucketPlace.start()
  })
  after(() => storage[Symbol.asyncDispose]())

  it('lists the other of two objects of one name when the one that counts is gone', async () => {
    await using index = await installationOf(await storage.fresh(), {'db.url': 'sqlite:///%(here)s/cache.db'})
    const sync = new ObjectSync(index)
    const file = await index.put('twice', '1.0')
    const hashed = index.storage.keyOf(file)
    const flat = 'twice/twice-1.0.tar.gz'
    await index.storage.store.put(flat, bodyOf('an older one'), {
      replace: true,
      metadata: {name: 'twice', version: '1.0', upload_time: '2020-01-01T00:00:00Z'},
    })
    assert.equal((await sync.bring(hashed)).kind, 'added')
    const loser = await sync.bring(flat)
    assert.deepEqual(loser, {
      kind: 'ignored',
      reason: `is a second file of the name twice-1.0.tar.gz: ${hashed} counts`,
    })
    await index.storage.store.delete(hashed)
    assert.equal((await sync.bring(hashed)).kind, 'removed')
    assert.equal((await index.cache.findFile('twice-1.0.tar.gz'))?.data.path, flat)
    const byEvents = await rowsOf(index.cache)
    await rebuildCache(index, {owner: 'the tests', full: true})
    assert.deepEqual(await rowsOf(index.cache), byEvents)
  })

  it('keeps what others write meanwhile, whoever is first', async () => {
    await using index = await installationOf(await storage.fresh(), {'db.url': 'sqlite:///%(here)s/cache.db'})
    const parts = {storage: index.storage, cache: index.cache}
    const servers = [1, 2].map(
      () => new PackageIndex({storage: index.storage.store, cache: index.cache, config: index.config}),
    )
    const functions = [1, 2, 3].map(() => new ObjectSync(parts))
    const random = numbers(7)
    const pick = <T>(from: readonly T[]): T => from[Math.floor(random.next().value * from.length)]!
    const files = ['a', 'b'].flatMap(name => ['1.0', '2.0'].map(version => fileOf(name, version)))
    const step = async (): Promise<void> => {
      const file = pick(files)
      const key = index.storage.usualKeyOf(file)
      const chance = random.next().value
      if (chance < 0.25) {
        // a put that is deleted at once has no time to be told
        await index.put(file.name, file.version, {bytes: String(random.next().value)}).catch(unlessMissing)
      } else if (chance < 0.4) await index.storage.store.delete(key)
      else if (chance < 0.5) {
        const row = await index.cache.findFile(file.filename)
        if (row) await pick(servers).remove(row)
      } else await pick(functions).bring(key)
    }
    for (let round = 0; round < 15; round += 1) await Promise.all(Array.from({length: 8}, step))
    // the last events of each object come at some time, in any order, and several times
    const late = [...files, ...files].map(file => index.storage.usualKeyOf(file))
    await Promise.all(late.map(key => pick(functions).bring(key)))
    await cacheEqualsStorage(index)
    const sealed = await servers[0]!.notes.sealed()
    for (const name of ['a', 'b']) {
      const hasFiles = (await index.cache.listFiles(name)).length > 0
      assert.ok(hasFiles || sealed.has(name), `${name} has no files and is open`)
    }
  })
})

for (const place of cachePlaces.filter(({name}) => name !== 'SQLite')) {
  it(
    `seals a name once when its last files go at once, in ${place.name}`,
    needs('versitygw', ...place.needs),
    async () => {
      await using cache = await place.start()
      await using storage = await bucketPlace.start()
      await using index = await installationOf(await storage.fresh(), await cache.fresh())
      const files = await Promise.all(['1.0', '1.1', '1.2', '1.3'].map(version => index.put('last', version)))
      const sync = new ObjectSync(index)
      const keys = files.map(file => index.storage.keyOf(file))
      await Promise.all(keys.map(key => sync.bring(key)))
      assert.equal(await cacheEqualsStorage(index), 4)
      await Promise.all(keys.map(key => index.storage.store.delete(key)))
      const steps = await Promise.all(keys.map(key => new ObjectSync(index).bring(key)))
      assert.deepEqual(
        steps.map(({kind}) => kind),
        ['removed', 'removed', 'removed', 'removed'],
      )
      const index2 = new PackageIndex({
        storage: index.storage.store,
        cache: index.cache,
        config: index.config,
      })
      assert.deepEqual([...(await index2.notes.sealed())], ['last'])
    },
  )
}
