import assert from 'node:assert/strict'
import {createHash, randomBytes} from 'node:crypto'
import {describe, it} from 'node:test'
import {openS3Store} from '../../src/lib/storage/s3/s3.js'
import type {ObjectStore} from '../../src/lib/storage/storage.js'
import {migrateFiles, type MigrateReport} from '../../src/lib/tasks/migrate/migrate.js'
import {bodyOf} from '../contracts/object-store.js'
import {startFaultProxy, type FaultRule} from '../services/fault-proxy.js'
import {startService} from '../services/index.js'
import {AzureContainers} from '../storage/open-azure.js'
import {openGcs} from '../storage/open-gcs.js'
import {s3Config} from '../storage/s3-services.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {allDigestsAreRight, keysIn, twoPlaces} from './migrate-places.js'

/** A bad day: a third of all requests is harmed in one way or another. */
const badDay: readonly FaultRule[] = [
  {probability: 0.1, fault: {kind: 'delay', ms: 50}},
  {probability: 0.05, fault: {kind: 'reset'}},
  {probability: 0.05, fault: {kind: 'answer', status: 503, headers: {'Retry-After': '0'}}},
  {probability: 0.05, fault: {kind: 'answer', status: 500}},
  {method: 'GET', probability: 0.05, fault: {kind: 'truncate', afterBytes: 60}},
  {method: 'GET', probability: 0.05, fault: {kind: 'reset', afterBytes: 60}},
  {method: 'PUT', probability: 0.1, fault: {kind: 'cut-upload', afterBytes: 100}},
  {method: 'POST', probability: 0.1, fault: {kind: 'cut-upload', afterBytes: 100}},
  {method: 'PUT', probability: 0.05, fault: {kind: 'lose-answer'}},
  {method: 'POST', probability: 0.05, fault: {kind: 'lose-answer'}},
]

interface Place extends AsyncDisposable {
  /** Of the service itself. */
  readonly url: string
  open(url: string): Promise<ObjectStore>
}

const places: readonly {readonly service: string; start(): Promise<Place>}[] = [
  {
    service: 'versitygw',
    async start() {
      const service = await startService('versitygw')
      return {...service, open: async url => openS3Store(await s3Config(url, {}, service))}
    },
  },
  {
    service: 'fake-gcs-server',
    async start() {
      const service = await startService('fake-gcs-server')
      const dir = await tempDir()
      return {...service, open: url => openGcs(dir.path, url)}
    },
  },
  {
    service: 'azurite',
    async start() {
      const service = await startService('azurite')
      const containers = await AzureContainers.on(service)
      return {...service, open: url => containers.open('packages', {'storage.storage_account_url': url})}
    },
  },
]

const runs = 4
const files = 15

/** What pypicloud wrote, and one file that is uploaded in parts. */
async function twoPlacesAndALargeFile() {
  const dir = await twoPlaces()
  const bytes = randomBytes(20 << 20)
  const key = 'large/1.0/large-1.0.zip'
  await dir.source.put(key, bodyOf(bytes), {
    replace: false,
    metadata: {hash_sha256: createHash('sha256').update(bytes).digest('hex')},
  })
  return dir
}

describe('A migration on a bad day', () => {
  for (const {service, start} of places) {
    it(`to ${service} and back loses nothing, and its reports are true`, needs(service), async () => {
      await using place = await start()
      await using proxy = await startFaultProxy(place.url, {seed: 7})
      await using dir = await twoPlacesAndALargeFile()
      await using bucket = await place.open(proxy.url)
      const onBadDay = async (from: ObjectStore, to: ObjectStore, count: () => Promise<number>) => {
        let [there, done] = [0, false]
        for (let run = 0; run < runs && !done; run += 1) {
          proxy.faults = [...badDay]
          const report: MigrateReport | Error = await migrateFiles(from, to, {concurrency: 4}).catch(
            (error: unknown) => error as Error, // not even the listing came through
          )
          proxy.faults = []
          const now = await count()
          if (!(report instanceof Error)) {
            const {copied, skipped, failedCount} = report
            assert.equal(copied + skipped + failedCount, files)
            assert.ok(copied + skipped <= now && skipped >= there, JSON.stringify({there, now, report}))
            done = failedCount === 0
          }
          there = now
        }
        assert.equal((await migrateFiles(from, to)).failedCount, 0)
        assert.equal((await migrateFiles(from, to, {verifyOnly: true})).verified, files)
      }
      /** Files in the bucket, none of which is half there. */
      const inBucket = async () => {
        await using check = await place.open(place.url)
        const {failed, verified} = await migrateFiles(check, dir.source, {verifyOnly: true})
        assert.deepEqual(failed, [])
        return verified
      }
      await onBadDay(dir.source, bucket, inBucket)
      await onBadDay(bucket, dir.target, () => allDigestsAreRight(dir.join('new')))
      assert.ok(proxy.requests.some(({fault}) => fault === 'reset' || fault === 'answer'))
      assert.deepEqual(await keysIn(dir.join('new')), await keysIn(dir.join('old')))
    })
  }
})
