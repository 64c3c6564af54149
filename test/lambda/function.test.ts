import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import {Notes} from '../../src/lib/index/notes.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {rebuildCache} from '../../src/lib/tasks/rebuild/rebuild.js'
import {bodyOf} from '../contracts/object-store.js'
import {needs} from '../support/needs.js'
import {configWith, tempDir} from '../support/temp.js'
import {
  bucket as bucketPlace,
  cacheEqualsStorage,
  cachePlaces,
  fileOf,
  installationOf,
  rowsOf,
  type Installation,
  type StartedPlace,
} from '../tasks/rebuild-places.js'
import {eventBridgeEvent, s3Event, s3Record, snsEnvelope, snsEvent, sqsEvent, testEvent} from './events.js'
import {buildFunction, invoke} from './function.js'

const owner = 'the tests'

for (const place of cachePlaces.filter(({name}) => name !== 'SQLite')) {
  describe(`the function that feeds ${place.name}`, needs('versitygw', ...place.needs), () => {
    let cache: StartedPlace, storage: StartedPlace, unpacked: Awaited<ReturnType<typeof tempDir>>
    before(async () => {
      ;[cache, storage, unpacked] = await Promise.all([place.start(), bucketPlace.start(), tempDir()])
      await configWith(unpacked.path, {...(await storage.fresh()), ...(await cache.fresh())})
      await buildFunction(unpacked.path)
    })
    after(async () => {
      await Promise.all([cache, storage, unpacked].map(started => started[Symbol.asyncDispose]()))
    })

    /** An installation of its own, and the function with its settings. */
    const functionOf = async (more: Record<string, string> = {}) => {
      const settings = {...(await storage.fresh()), ...(await cache.fresh()), ...more}
      const index = await installationOf(settings)
      const bucket = settings['storage.bucket'] ?? ''
      return {
        ...index,
        bucket,
        record: (file: DistFile, eventName?: string) =>
          s3Record(bucket, index.storage.keyOf(file), eventName),
        run: (...events: unknown[]) => invoke(unpacked.path, settings, events),
      }
    }
    const rebuilt = async ({storage, cache}: Pick<Installation, 'storage' | 'cache'>) => {
      await rebuildCache({storage, cache}, {owner, full: true})
      return rowsOf(cache)
    }

    it('lists what was published and takes away what was deleted, by every road that events come', async () => {
      await using index = await functionOf({'storage.prefix': 'pkg/'})
      const files = await Promise.all([
        index.put('direct', '1.0+cu118'),
        index.put('by-topic', '1.0'),
        index.put('by-queue', '1!2.0'),
        index.put('by-topic-and-queue', '1.0'),
        index.put('by-bus', '1.0', {data: {requires_python: '>=3.9'}}),
      ])
      const [direct, topic, queue, both, bus] = files
      const {results, log} = await index.run(
        s3Event(index.record(direct)),
        snsEvent(s3Event(index.record(topic))),
        sqsEvent({
          one: s3Event(index.record(queue)),
          two: snsEnvelope(s3Event(index.record(both))),
          three: testEvent(index.bucket),
        }),
        eventBridgeEvent(index.bucket, index.storage.keyOf(bus)),
      )
      assert.deepEqual(results, [{added: 1}, {added: 1}, {batchItemFailures: []}, {added: 1}])
      assert.equal(await cacheEqualsStorage(index), 5)
      assert.ok(log.every(line => line.requestId === 'request-1'))

      for (const file of files) await index.storage.delete(file)
      const gone = await index.run(s3Event(...files.map(file => index.record(file, 'ObjectRemoved:Delete'))))
      assert.deepEqual(gone.results, [{removed: 5}])
      assert.equal(await index.cache.countFiles(), 0)
      // a name that loses its last file stays reserved
      const sealed = await new Notes(index.storage.store).sealed()
      assert.deepEqual([...sealed].sort(), files.map(({name}) => name).sort())
    })

    it('comes to what a rebuild comes to, when events are late, doubled and in reverse', async () => {
      await using index = await functionOf()
      const names = ['alpha', 'beta', 'gamma', 'delta']
      const records: unknown[] = []
      for (const [round, version] of ['1.0', '1.1', '2.0'].entries()) {
        for (const [place, name] of names.entries()) {
          const file = await index.put(name, version)
          records.push(index.record(file))
          if ((round + place) % 2 === 0) {
            await index.storage.delete(file)
            records.push(index.record(file, 'ObjectRemoved:Delete'))
          }
          if ((round + place) % 4 === 0) {
            records.push(index.record(await index.put(name, version, {bytes: 'other bytes'})))
          }
        }
      }
      // rows of the past: of a file that is gone, and of one that is not any more what it was
      await index.cache.save([fileOf('alpha', '0.1'), {...fileOf('beta', '1.0'), summary: 'old'}])
      records.push(index.record(fileOf('alpha', '0.1'), 'ObjectRemoved:Delete'))
      const turned = [...records, ...records].reverse()
      const {results} = await index.run(
        s3Event(...turned),
        sqsEvent(Object.fromEntries(turned.map((record, id) => [String(id), s3Event(record)]))),
      )
      assert.deepEqual(results[1], {batchItemFailures: []})
      const byEvents = await rowsOf(index.cache)
      assert.deepEqual(byEvents, await rebuilt(index))
    })

    it('works off what it can, and asks for the rest again', async () => {
      await using index = await functionOf({'storage.prefix': 'pkg/'})
      const [good, better] = [await index.put('good', '1.0'), await index.put('better', '1.0')]
      await index.storage.store.put('pkg/odd/ünï çödé+1.txt', bodyOf('no package'), {replace: true})
      const {results, log} = await index.run(
        sqsEvent({
          good: s3Event(index.record(good)),
          cut: '{"Records": [{"s3": ',
          number: '17',
          nameless: s3Event({eventSource: 'aws:s3', s3: {bucket: {name: index.bucket}, object: {}}}),
          odd: s3Event(s3Record(index.bucket, 'pkg/odd/ünï çödé+1.txt')),
          directory: s3Event(s3Record(index.bucket, 'pkg/odd/')),
          foreignPrefix: s3Event(s3Record(index.bucket, 'elsewhere/x-1.0.tar.gz')),
          foreignBucket: s3Event(s3Record('another', index.storage.keyOf(good))),
          neverThere: s3Event(s3Record(index.bucket, 'pkg/x/x-1.0.tar.gz', 'ObjectRemoved:Delete')),
          otherService: {source: 'aws.ec2', detail: {}},
          better: s3Event(index.record(better)),
        }),
      )
      assert.deepEqual(results, [
        {batchItemFailures: ['cut', 'number', 'nameless'].map(itemIdentifier => ({itemIdentifier}))},
      ])
      assert.equal(log.filter(({level}) => level === 'error').length, 3)
      assert.deepEqual(Object.keys(await rowsOf(index.cache)), ['better-1.0.tar.gz', 'good-1.0.tar.gz'])
    })

    it('says in one sentence why it can do nothing, and has AWS send the event again', async () => {
      await using index = await functionOf()
      const file = await index.put('late', '1.0')
      const event = s3Event(index.record(file))
      const settings = {...(await cache.fresh()), ...(await storage.fresh()), 'storage.bucket': index.bucket}
      const wrong = await invoke(unpacked.path, {...settings, 'storage.aws_secret_access_key': 'wrong'}, [
        event,
      ])
      assert.match(JSON.stringify(wrong.results), /"thrown":"s3:\/\/[^"]+storage\.aws_/)
      const none = await invoke(unpacked.path, '{', [event])
      assert.deepEqual(none.results, [{thrown: 'PYPICLOUD_SETTINGS is no JSON'}])
      const late = await invoke(unpacked.path, settings, [event, sqsEvent({a: event})], {leftMs: 100})
      assert.deepEqual(late.results, [
        {thrown: 'there was no time left'},
        {batchItemFailures: [{itemIdentifier: 'a'}]},
      ])
    })
  })
}
