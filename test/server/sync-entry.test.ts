import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {openSyncEntry} from '../../src/lib/server/sync-entry.js'
import {bucketOf} from '../../src/lib/tasks/sync/bucket.js'
import {ObjectSync} from '../../src/lib/tasks/sync/object-sync.js'
import {s3Event, s3Record} from '../lambda/events.js'
import {s3Error} from '../services/fault-proxy.js'
import {startService} from '../services/index.js'
import {needs} from '../support/needs.js'
import {bucket as bucketPlace, cacheEqualsStorage, fileOf, installationOf} from '../tasks/rebuild-places.js'

type Settings = Readonly<Record<string, string>>

/** An index whose cache is fed by HTTP. */
async function fedIndex(settings: Settings, token?: string) {
  const index = await installationOf(settings, {'db.url': 'sqlite:///%(here)s/cache.db'})
  const bucket = bucketOf(index.config)
  const target = {bucket, sync: new ObjectSync(index)}
  const log: string[] = []
  const entry = await openSyncEntry(() => Promise.resolve(target), {
    host: '127.0.0.1',
    port: 0,
    token,
    log: {write: (line: string) => log.push(line)} as never,
    check: () => index.cache.check(),
  })
  return {
    ...index,
    bucket,
    url: entry.url,
    log,
    async post(body: unknown, path = '', headers: Record<string, string> = {}) {
      const response = await fetch(entry.url + path, {
        method: 'POST',
        headers: {'content-type': 'application/json', ...headers},
        body: typeof body === 'string' ? body : JSON.stringify(body),
      })
      const text = await response.text()
      return {status: response.status, body: text === '' ? undefined : (JSON.parse(text) as unknown)}
    },
    async [Symbol.asyncDispose]() {
      await entry.close()
      await index[Symbol.asyncDispose]()
    },
  }
}

const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64')

describe('Feeding a cache by HTTP', () => {
  it('takes what Pub/Sub pushes of a bucket of Google Cloud Storage', needs('fake-gcs-server'), async () => {
    await using service = await startService('fake-gcs-server')
    await using index = await fedIndex({
      'pypi.storage': 'gcs',
      'storage.bucket': 'packages',
      'storage.prefix': 'pypi/',
      'storage.gcp_api_endpoint': service.url,
      'storage.gcp_project_id': 'test-project',
    })
    const one = await index.put('one', '1.0+cu118')
    const two = await index.put('two', '1!1.0')
    const message = (file: typeof one, eventType: string) => ({
      message: {
        attributes: {
          bucketId: 'packages',
          eventTime: '2026-11-20T10:00:00.000000Z',
          eventType,
          notificationConfig: 'projects/_/buckets/packages/notificationConfigs/1',
          objectGeneration: '1',
          objectId: index.storage.keyOf(file),
          payloadFormat: 'JSON_API_V1',
        },
        data: base64({kind: 'storage#object', bucket: 'packages', name: index.storage.keyOf(file)}),
        messageId: '19917247038',
        publishTime: '2026-11-20T10:00:00Z',
      },
      subscription: 'projects/test-project/subscriptions/feed',
    })
    assert.deepEqual(await index.post(message(one, 'OBJECT_FINALIZE')), {status: 200, body: {added: 1}})
    // without the envelope, as Eventarc and unwrapped subscriptions send it
    const bare = {kind: 'storage#object', bucket: 'packages', name: index.storage.keyOf(two)}
    assert.deepEqual(await index.post(bare), {status: 200, body: {added: 1}})
    assert.equal(await cacheEqualsStorage(index), 2)
    await index.storage.delete(one)
    assert.deepEqual((await index.post(message(one, 'OBJECT_DELETE'))).body, {removed: 1})
    assert.deepEqual((await index.post(message(one, 'OBJECT_FINALIZE'))).body, {unchanged: 1})
    assert.equal(await cacheEqualsStorage(index), 1)
  })

  it("takes both of Event Grid's schemas, and answers what it asks first", needs('azurite'), async () => {
    await using service = await startService('azurite')
    await using index = await fedIndex({
      'pypi.storage': 'azure-blob',
      'storage.storage_container_name': 'packages',
      'storage.storage_account_url': service.url,
      'storage.storage_account_name': service.accountName,
      'storage.storage_account_key': service.accountKey,
    })
    const question = {
      id: '2d1781af-3a4c-4d7c-bd0c-e34b19da4e66',
      topic: '/subscriptions/1',
      subject: '',
      data: {validationCode: '512d38b6-c7b8-40c8-89fe-f46f9e9622b6', validationUrl: 'https://example.com'},
      eventType: 'Microsoft.EventGrid.SubscriptionValidationEvent',
      eventTime: '2026-11-20T10:00:00Z',
      metadataVersion: '1',
      dataVersion: '2',
    }
    const {body} = await index.post([question])
    assert.deepEqual(body, {validationResponse: '512d38b6-c7b8-40c8-89fe-f46f9e9622b6'})
    const asked = await fetch(index.url, {
      method: 'OPTIONS',
      headers: {'WebHook-Request-Origin': 'eventgrid.azure.net'},
    })
    assert.equal(asked.headers.get('webhook-allowed-origin'), 'eventgrid.azure.net')

    const [one, two] = [await index.put('one', '1.0'), await index.put('two', '2.0')]
    const subject = (file: typeof one) =>
      `/blobServices/default/containers/packages/blobs/${index.storage.keyOf(file)}`
    const own = {
      topic: '/subscriptions/1/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/a',
      subject: subject(one),
      eventType: 'Microsoft.Storage.BlobCreated',
      id: '831e1650-001e-001b-66ab-eeb76e069631',
      data: {api: 'PutBlob', contentLength: 10, blobType: 'BlockBlob', url: 'https://example.com/x'},
    }
    assert.deepEqual((await index.post([own])).body, {added: 1})
    const cloudEvent = {
      ...own,
      specversion: '1.0',
      subject: subject(two),
      type: own.eventType,
      source: own.topic,
    }
    assert.deepEqual((await index.post(cloudEvent)).body, {added: 1})
    assert.equal(await cacheEqualsStorage(index), 2)
    await index.storage.delete(one)
    assert.deepEqual((await index.post([{...own, eventType: 'Microsoft.Storage.BlobDeleted'}])).body, {
      removed: 1,
    })
    assert.equal(await cacheEqualsStorage(index), 1)
  })

  it(
    'takes events as S3 has them from whoever knows the token, and nothing from others',
    needs('versitygw'),
    async () => {
      await using place = await bucketPlace.start()
      await using index = await fedIndex(await place.fresh(), 'a token of 2026')
      const file = await index.put('one', '1.0')
      const event = s3Event(s3Record(index.bucket, index.storage.keyOf(file)))
      for (const path of ['', '?token=a%20token%20of%202025', '?token=']) {
        assert.equal((await index.post(event, path)).status, 401)
      }
      assert.equal((await fetch(index.url)).status, 200)
      assert.equal(await index.cache.countFiles(), 0)
      assert.equal((await index.post(event, '', {authorization: 'Bearer a token of 2026'})).status, 200)
      const token = '?token=a%20token%20of%202026'
      assert.deepEqual(await index.post(event, token), {status: 200, body: {unchanged: 1}})
      assert.equal(await cacheEqualsStorage(index), 1)

      assert.equal((await index.post('{"Records": [', token)).status, 400)
      assert.deepEqual(await index.post({Records: [{s3: {}}]}, token), {status: 400, body: {unreadable: 1}})
      assert.deepEqual(await index.post({hello: 'world'}, token), {status: 200, body: {other: 1}})
      assert.equal((await fetch(index.url + token, {method: 'PUT', body: '{}'})).status, 405)
      assert.equal((await index.post('x'.repeat(17_000_000), token)).status, 413)
      assert.deepEqual(JSON.parse(index.log[0] ?? ''), {
        ...(JSON.parse(index.log[0] ?? '') as object),
        level: 'info',
        message: 'added',
        event: 'ObjectCreated:Put',
        file: 'one-1.0.tar.gz',
        project: 'one',
      })
    },
  )

  it(
    'asks to come again while the storage refuses to answer, and removes nothing',
    needs('versitygw'),
    async () => {
      await using place = await bucketPlace.start()
      await using index = await fedIndex(await place.fresh())
      const file = await index.put('one', '1.0')
      const event = s3Event(s3Record(index.bucket, index.storage.keyOf(file)))
      const gone = s3Event(s3Record(index.bucket, index.storage.keyOf(fileOf('two', '1.0'))))
      await index.cache.save([fileOf('two', '1.0')])
      assert.ok(place.proxy)
      place.proxy.faults = [{fault: s3Error(403, 'AccessDenied')}]
      assert.equal((await index.post(gone)).status, 503)
      assert.equal(await index.cache.countFiles(), 1)
      place.proxy.faults = []
      assert.equal((await index.post(event)).status, 200)
      assert.equal((await index.post(gone)).status, 200)
      assert.equal(await cacheEqualsStorage(index), 1)
    },
  )
})
