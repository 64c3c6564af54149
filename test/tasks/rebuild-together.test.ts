import assert from 'node:assert/strict'
import {fork, type ChildProcess} from 'node:child_process'
import {once} from 'node:events'
import {after, before, describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {completeMark} from '../../src/lib/cache/cache.js'
import {LockHeld} from '../../src/lib/errors.js'
import {rebuildCache, type RebuildOptions} from '../../src/lib/tasks/rebuild/rebuild.js'
import {needs} from '../support/needs.js'
import {
  bucket,
  cacheEqualsStorage,
  cachePlaces,
  directory,
  installationOf,
  type Installation,
  type StartedPlace,
} from './rebuild-places.js'
import type {WorkerJob} from './rebuild-worker.js'

const workerFile = new URL('./rebuild-worker.js', import.meta.url)
const jumpingClock = new URL('../support/jumping-clock.js', import.meta.url).href
const kills = 2
/** The kinds of rebuild, of the project `churned` alone too. */
const kinds: readonly Partial<RebuildOptions>[] = [
  {full: true},
  {full: false},
  {full: false, projects: new Set(['churned'])},
]

/** Starts another process, whose clock is going to jump, and which is at it when this resolves. */
async function start(job: WorkerJob): Promise<{child: ChildProcess; exit: Promise<unknown[]>}> {
  const child = fork(workerFile, [JSON.stringify(job)], {execArgv: ['--import', jumpingClock]})
  const exit = once(child, 'exit')
  await Promise.race([once(child, 'message'), exit])
  return {child, exit}
}

const rebuild = (index: Installation, options: Partial<RebuildOptions> = {}) =>
  rebuildCache(index, {owner: 'the test', ...options})

/** As cron would: again and again, until the lock of the killed one has expired. */
async function heal(index: Installation): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      await rebuild(index)
      return
    } catch (error) {
      if (!(error instanceof LockHeld) || attempt > 100) throw error
      await sleep(100)
    }
  }
}

/** Each cache, and once the storage whose listing tells no metadata. */
const pairs = [
  ...cachePlaces.map(cache => [cache, directory] as const),
  [cachePlaces[0] ?? directory, bucket] as const,
]

for (const [cachePlace, storagePlace] of pairs) {
  const title = `rebuilds of ${cachePlace.name} over ${storagePlace.name}, among other processes whose clocks jump`
  describe(title, needs(...cachePlace.needs, ...storagePlace.needs), () => {
    let caches: StartedPlace
    let storages: StartedPlace
    before(async () => {
      caches = await cachePlace.start()
      storages = await storagePlace.start()
    })
    after(async () => {
      await storages[Symbol.asyncDispose]()
      await caches[Symbol.asyncDispose]()
    })
    const install = () => installationOf(caches.fresh(), storages.fresh())

    it('lose nothing, resurrect nothing and hide nothing while files are published and deleted', async () => {
      await using index = await install()
      const stable = Array.from({length: 20}, (_, version) => String(version))
      await Promise.all(stable.map(version => index.put('stable', version)))
      await rebuild(index)
      const {exit} = await start({do: 'publish', config: index.configPath, project: 'churned', files: 8})
      const ended = new AbortController()
      void exit.then(() => ended.abort())
      const watch = (async () => {
        while (!ended.signal.aborted) {
          assert.equal((await index.cache.listFiles('stable')).length, stable.length)
          await sleep(1)
        }
      })()
      for (let run = 0; !ended.signal.aborted || run < kinds.length; run += 1) {
        await rebuild(index, kinds[run % kinds.length] ?? {})
        await sleep(20)
      }
      await watch
      assert.deepEqual(await exit, [0, null])
      // no further rebuild: what the last one and the other process left is right
      assert.equal(await cacheEqualsStorage(index), stable.length + 4)
    })

    it(`are healed by the next one after a kill at any moment (${kills} times)`, async () => {
      await using index = await install()
      await Promise.all(Array.from({length: 30}, (_, version) => index.put('foo', String(version))))
      for (let time = 0; time < kills; time += 1) {
        const full = time % 2 === 0
        const {child, exit} = await start({do: 'rebuild', config: index.configPath, full})
        await sleep(Math.random() * 250)
        await index.put('foo', `30.${time}`)
        await index.storage.delete(await index.put('bar', '1'))
        await index.storage.delete(
          (await index.cache.listFiles('foo'))[time] ?? (await index.put('foo', '99')),
        )
        await sleep(Math.random() * 100)
        child.kill('SIGKILL')
        await exit
        await heal(index)
        await cacheEqualsStorage(index)
        assert.ok(await index.cache.getState(completeMark))
      }
    })
  })
}
