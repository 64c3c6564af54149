import assert from 'node:assert/strict'
import {randomBytes} from 'node:crypto'
import {buffer} from 'node:stream/consumers'
import {after, before, describe, it} from 'node:test'
import {openBucket} from '../../src/lib/storage/s3/bucket.js'
import {copyObject, type S3CopyOptions} from '../../src/lib/storage/s3/copy.js'
import type {S3Place} from '../../src/lib/storage/s3/place.js'
import {openS3Store} from '../../src/lib/storage/s3/s3.js'
import {readS3Settings} from '../../src/lib/storage/s3/settings.js'
import {ObjectExists, ObjectMissing, type ObjectStore} from '../../src/lib/storage/storage.js'
import {bodyOf} from '../contracts/object-store.js'
import {s3Error, startFaultProxy, type FaultProxy} from '../services/fault-proxy.js'
import {startService, type Service} from '../services/index.js'
import {needs} from '../support/needs.js'
import {exampleKeys, s3Config} from './s3-services.js'

const MiB = 1 << 20

for (const name of ['moto', 'versitygw'] as const) {
  describe(`an object that is too large to be copied at once, on ${name}`, needs(name), () => {
    let service: Service & {accessKeyId?: string; secretAccessKey?: string}
    let proxy: FaultProxy
    let store: ObjectStore
    let place: S3Place
    const bytes = randomBytes(13 * MiB) // three parts
    const source = 'large-1.0.tar.gz'
    before(async () => {
      service = await startService(name)
      proxy = await startFaultProxy(service.url)
      const config = await s3Config(proxy.url, {}, {...exampleKeys, ...service})
      store = await openS3Store(config)
      place = await openBucket(readS3Settings(config, {}))
      await store.put(source, bodyOf(bytes), {replace: false, metadata: {summary: 'old'}})
    })
    after(async () => {
      place.api.destroy()
      await store[Symbol.asyncDispose]()
      await proxy[Symbol.asyncDispose]()
      await service[Symbol.asyncDispose]()
    })
    const copyTo = (key: string, options: Partial<S3CopyOptions> = {}) =>
      copyObject(
        {place, key: source},
        {place, key},
        {replace: false, conditional: true, metadata: {summary: 'new'}, largestAtOnce: 6 * MiB, ...options},
      )
    const leftovers = async () => {
      const found: string[] = []
      for await (const {key} of store.leftovers?.() ?? []) found.push(key)
      return found
    }

    it('is copied in its parts, whole and with metadata of its own', async () => {
      proxy.requests.length = 0
      const copied = await copyTo('lib/copy-1.0.tar.gz')
      assert.equal(copied?.metadata['summary'], 'new')
      assert.equal(copied.fingerprint.split('.')[0], (await store.stat(source)).fingerprint.split('.')[0])
      const parts = proxy.requests.filter(({headers}) => headers['x-amz-copy-source-range'] !== undefined)
      assert.equal(parts.length, 3)
      assert.deepEqual(await buffer(await store.open('lib/copy-1.0.tar.gz')), bytes)
      await assert.rejects(copyTo('lib/copy-1.0.tar.gz'), ObjectExists)
    })

    it('leaves nothing behind when a part fails, and says so when the service can not do it', async () => {
      const key = 'lib/failed-1.0.tar.gz'
      proxy.faults = [{path: 'partNumber=2', fault: s3Error(501, 'NotImplemented')}]
      assert.equal(await copyTo(key), undefined)
      const stop = new AbortController()
      proxy.faults = [
        {path: 'partNumber=2', when: () => (stop.abort(), false), fault: s3Error(501, 'NotImplemented')},
      ]
      await assert.rejects(copyTo(key, {signal: stop.signal}))
      proxy.faults = []
      await assert.rejects(store.stat(key), ObjectMissing)
      assert.deepEqual(await leftovers(), [])
    })

    it('is not copied when it was never in parts, as nothing would tell the digest', async () => {
      await store.put('whole-1.0.zip', bodyOf(randomBytes(7 * MiB)), {replace: false})
      const target = {place, key: 'lib/whole-1.0.zip'}
      const options = {replace: false, conditional: true, largestAtOnce: 6 * MiB}
      assert.equal(await copyObject({place, key: 'whole-1.0.zip'}, target, options), undefined)
    })

    it('whose answer was lost is no copy of somebody else', async () => {
      const key = 'lib/lost-1.0.zip'
      proxy.faults = [{method: 'PUT', path: 'lost-1.0', first: 1, fault: {kind: 'lose-answer'}}]
      await store.put('small-1.0.zip', bodyOf('small'), {replace: false})
      const copied = await store.copyFrom?.(store, 'small-1.0.zip', key, {
        replace: false,
        metadata: {summary: 'x'},
      })
      assert.equal(copied?.metadata['summary'], 'x')
      proxy.faults = []
    })
  })
}
