import assert from 'node:assert/strict'
import {randomBytes} from 'node:crypto'
import {Readable} from 'node:stream'
import {buffer, text} from 'node:stream/consumers'
import {after, before, describe, it} from 'node:test'
import {ListMultipartUploadsCommand, S3Client} from '@aws-sdk/client-s3'
import {PpcError, Unavailable} from '../../src/lib/errors.js'
import {openS3Store} from '../../src/lib/storage/s3/s3.js'
import {wholeOf} from '../../src/lib/storage/small-body.js'
import {ObjectExists, ObjectMissing, type ObjectStore} from '../../src/lib/storage/storage.js'
import {bodyOf, bodyThatBreaks} from '../contracts/object-store.js'
import {s3Error, startFaultProxy, type Fault, type FaultProxy} from '../services/fault-proxy.js'
import {startService, type Service} from '../services/index.js'
import {needs} from '../support/needs.js'
import {s3Config} from './s3-services.js'

const MiB = 1 << 20

describe('S3 over a bad connection', needs('versitygw'), () => {
  let service: Service & {accessKeyId: string; secretAccessKey: string}
  let proxy: FaultProxy
  let store: ObjectStore
  let raw: S3Client
  before(async () => {
    service = await startService('versitygw')
    proxy = await startFaultProxy(service.url)
    store = await openS3Store(await s3Config(proxy.url, {'storage.prefix': 'p/'}, service))
    raw = new S3Client({
      endpoint: service.url,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: service,
    })
  })
  after(async () => {
    raw.destroy()
    await store[Symbol.asyncDispose]()
    await proxy[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })
  const partsLeft = async () =>
    (await raw.send(new ListMultipartUploadsCommand({Bucket: 'packages'}))).Uploads?.length ?? 0

  it('a single object takes a single request, whose signature no access log keeps', async () => {
    const key = "p/a+b c/é~(1)'!-1.0.zip"
    await store.put('p/probed-1.0.zip', bodyOf('the first one asks what the service can'), {replace: false})
    proxy.requests.length = 0
    const metadata = {summary: ' two  blanks, and "quotes" ', name: 'a+b'}
    await store.put(key, bodyOf('bytes'), {replace: false, metadata, unlisted: true})
    assert.equal((await store.stat(key)).metadata['summary'], 'two blanks, and "quotes"')
    assert.equal(await text(await store.open(key)), 'bytes')
    assert.equal(await text(await store.open(key, {start: 1, end: 2})), 'yt')
    assert.deepEqual(
      proxy.requests.map(({method}) => method),
      ['PUT', 'HEAD', 'GET', 'GET'],
    )
    for (const {path, headers} of proxy.requests) {
      assert.doesNotMatch(path, /signature/i)
      assert.match(String(headers['authorization']), /^AWS4-HMAC-SHA256 Credential=.*Signature=[0-9a-f]{64}$/)
    }
  })

  it('throttling and server errors are waited out', async () => {
    proxy.faults = [
      {path: 'slow-1.0', first: 2, fault: s3Error(503, 'SlowDown')},
      {path: 'slow-1.0', first: 4, fault: s3Error(500, 'InternalError')},
      {path: 'many-', first: 20, fault: s3Error(503, 'SlowDown')},
      {path: 'list-type', first: 2, fault: s3Error(503, 'SlowDown')},
    ]
    const bytes = randomBytes(20 * MiB)
    await store.put('p/slow-1.0.zip', bodyOf(bytes), {replace: false})
    assert.deepEqual(await buffer(await store.open('p/slow-1.0.zip')), bytes)
    const small = Array.from({length: 30}, (_, index) => `p/many-${index}.zip`)
    await Promise.all(small.map(key => store.put(key, bodyOf(key), {replace: false})))
    const listed: string[] = []
    for await (const {key} of store.list('')) listed.push(key)
    assert.deepEqual(listed.filter(key => key.includes('many')).sort(), small.sort())
    proxy.faults = []
  })

  it('a service that never recovers is unavailable', async () => {
    proxy.faults = [{method: 'HEAD', fault: s3Error(503, 'SlowDown')}]
    await assert.rejects(store.stat('p/many-1.zip'), Unavailable)
    proxy.faults = []
  })

  it('a download that breaks goes on behind the last byte', async () => {
    const bytes = randomBytes(3 * MiB)
    await store.put('p/read-1.0.zip', bodyOf(bytes), {replace: false})
    for (const kind of ['reset', 'truncate'] as const) {
      proxy.faults = [{method: 'GET', path: 'read-1.0', first: 3, fault: {kind, afterBytes: 700_000}}]
      assert.deepEqual(await buffer(await store.open('p/read-1.0.zip')), bytes)
      assert.deepEqual(
        await buffer(await store.open('p/read-1.0.zip', {start: 5, end: 2 * MiB})),
        bytes.subarray(5, 2 * MiB + 1),
      )
    }
    proxy.faults = []
  })

  it('a download that keeps breaking fails and never ends early', async () => {
    proxy.faults = [{method: 'GET', path: 'read-1.0', fault: {kind: 'truncate', afterBytes: 1000}}]
    await assert.rejects(async () => buffer(await store.open('p/read-1.0.zip')), /read-1\.0/)
    proxy.faults = []
  })

  it('a download never mixes two objects', async () => {
    const where = 'p/mixed-1.0.zip'
    await store.put(where, bodyOf(Buffer.alloc(MiB, 'a')), {replace: false})
    proxy.faults = [
      {method: 'GET', path: 'mixed-1.0', first: 1, fault: {kind: 'truncate', afterBytes: 500_000}},
    ]
    const stream = await store.open(where)
    await store.put(where, bodyOf(Buffer.alloc(MiB, 'b')), {replace: true})
    await assert.rejects(buffer(stream), /was replaced while it was read/)
    proxy.faults = []
  })

  it('a small object comes whole by one request, and by others where that one is harmed', async () => {
    const bytes = randomBytes(100_000)
    const where = 'p/small-1.0.zip'
    await store.put(where, bodyOf(bytes), {replace: false, metadata: {summary: 'small'}})
    proxy.requests.length = 0
    const fetched = await store.fetch?.(where, bytes.length)
    assert.deepEqual(fetched?.bytes, bytes)
    assert.equal(fetched.object.metadata['summary'], 'small')
    assert.equal(proxy.requests.length, 1)
    const faults: Fault[] = [
      {kind: 'reset'},
      {kind: 'reset', afterBytes: 50_000},
      {kind: 'truncate', afterBytes: 50_000},
      {kind: 'lose-answer'},
      s3Error(503, 'SlowDown'),
    ]
    for (const fault of faults) {
      proxy.faults = [{method: 'GET', path: 'small-1.0', first: 1, fault}]
      const again = await store.fetch?.(where, bytes.length)
      assert.ok(again)
      assert.deepEqual(await wholeOf(again.bytes), bytes)
      assert.deepEqual(again.object, fetched.object)
    }
    proxy.faults = []
  })

  it('an object that is no longer small is read all the same', async () => {
    const bytes = randomBytes(MiB)
    await store.put('p/grown-1.0.zip', bodyOf(bytes), {replace: false})
    const fetched = await store.fetch?.('p/grown-1.0.zip', 7)
    assert.ok(fetched?.bytes instanceof Readable)
    assert.deepEqual(await buffer(fetched.bytes), bytes)
    assert.equal(fetched.object.size, MiB)
  })

  it('a refusal has the same words for small objects', async () => {
    const where = 'p/refused-1.0.zip'
    await store.put(where, bodyOf('refused'), {replace: false})
    const refusals: Fault[] = [
      s3Error(403, 'AccessDenied', 'Access Denied'),
      {kind: 'answer', status: 403, headers: {'transfer-encoding': 'chunked'}},
      s3Error(404, 'NoSuchKey'),
    ]
    const failure = async (size: number): Promise<unknown> =>
      store.fetch?.(where, size).catch((error: unknown) => error)
    for (const fault of refusals) {
      proxy.faults = [{method: 'GET', fault}]
      const small = await failure(7)
      assert.ok(small instanceof PpcError)
      assert.deepEqual(small, await failure(MiB))
    }
    proxy.faults = []
  })

  it('an answer that was lost is no second upload', async () => {
    for (const [name, size, path] of [
      ['lost-small-1.0.zip', 100, 'lost-small'],
      ['lost-large-1.0.zip', 9 * MiB, 'uploadId'],
    ] as const) {
      const method = size > MiB ? 'POST' : 'PUT'
      proxy.faults = [{method, path, first: 1, fault: {kind: 'lose-answer'}}]
      const bytes = randomBytes(size)
      await store.put(`p/${name}`, bodyOf(bytes), {replace: false, metadata: {summary: name}})
      assert.deepEqual(await buffer(await store.open(`p/${name}`)), bytes)
      await assert.rejects(store.put(`p/${name}`, bodyOf('other'), {replace: false}), ObjectExists)
    }
    proxy.faults = []
  })

  it('an upload that is cut is sent again, or nothing of it is seen', async () => {
    const bytes = randomBytes(20 * MiB)
    proxy.faults = [{method: 'PUT', path: 'cut-1.0', first: 2, fault: {kind: 'cut-upload', afterBytes: MiB}}]
    await store.put('p/cut-1.0.zip', bodyOf(bytes), {replace: false})
    assert.deepEqual(await buffer(await store.open('p/cut-1.0.zip')), bytes)
    proxy.faults = [{method: 'PUT', path: 'gone-1.0', fault: {kind: 'cut-upload', afterBytes: MiB}}]
    await assert.rejects(store.put('p/gone-1.0.zip', bodyOf(bytes), {replace: false}), Unavailable)
    proxy.faults = []
    await assert.rejects(store.stat('p/gone-1.0.zip'), ObjectMissing)
    assert.equal(await partsLeft(), 0)
  })

  it('a large body that breaks or has another length leaves no parts behind', async () => {
    await store.put('p/kept-1.0.zip', bodyOf('old'), {replace: false})
    const bodies = [
      bodyThatBreaks(40 * MiB),
      {...bodyOf(randomBytes(20 * MiB)), size: 20 * MiB + 1},
      {...bodyOf(randomBytes(20 * MiB)), size: 20 * MiB - 1},
    ]
    for (const body of bodies) await assert.rejects(store.put('p/kept-1.0.zip', body, {replace: true}))
    assert.equal(await text(await store.open('p/kept-1.0.zip')), 'old')
    assert.equal(await partsLeft(), 0)
    const stop = new AbortController()
    proxy.faults = [
      {method: 'PUT', path: 'partNumber=2', when: () => (stop.abort(), false), fault: {kind: 'hang'}},
    ]
    await assert.rejects(
      store.put('p/stopped-1.0.zip', bodyOf(randomBytes(40 * MiB)), {replace: false, signal: stop.signal}),
    )
    proxy.faults = []
    await assert.rejects(store.stat('p/stopped-1.0.zip'), ObjectMissing)
    assert.equal(await partsLeft(), 0)
  })
})
