import assert from 'node:assert/strict'
import {createHash, randomBytes} from 'node:crypto'
import {cp, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {Readable} from 'node:stream'
import {buffer, text} from 'node:stream/consumers'
import {after, before, describe, it} from 'node:test'
import type {PpcError} from '../../src/lib/errors.js'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {isOddity, ObjectExists, ObjectMissing, type ObjectStore} from '../../src/lib/storage/storage.js'
import {bodyOf, bodyThatBreaks} from '../contracts/object-store.js'
import {startService, type Service} from '../services/index.js'
import {startFaultProxy} from '../services/fault-proxy.js'
import {needs} from '../support/needs.js'
import {fixtures} from '../support/paths.js'
import {tempDir} from '../support/temp.js'
import {openGcs} from './open-gcs.js'

/** A listing of a bucket as pypicloud 1.3.12 left it. */
interface BucketFixture {
  readonly objects: readonly {
    readonly name: string
    readonly size: string
    readonly metadata: Readonly<Record<string, string>>
  }[]
}
const gcsFixtures = join(fixtures, 'gcs')
const keyFile = join(gcsFixtures, 'TEST-ONLY-service-account.json')

const keysOf = async (store: ObjectStore): Promise<string[]> => {
  const keys: string[] = []
  for await (const entry of store.list('')) keys.push(entry.key)
  return keys.sort()
}

describe('Google Cloud Storage', needs('fake-gcs-server'), () => {
  let service: Service
  let dir: Awaited<ReturnType<typeof tempDir>>
  before(async () => {
    dir = await tempDir()
    service = await startService('fake-gcs-server')
  })
  after(async () => {
    await service[Symbol.asyncDispose]()
    await dir[Symbol.asyncDispose]()
  })
  const open = (settings: Record<string, string> = {}, endpoint = service.url) =>
    openGcs(dir.path, endpoint, settings)
  /** An object as another program writes it. */
  const upload = async (bucket: string, resource: object, bytes: Buffer) => {
    const head = `--b\r\ncontent-type: application/json\r\n\r\n${JSON.stringify(resource)}\r\n`
    const answer = await fetch(`${service.url}/upload/storage/v1/b/${bucket}/o?uploadType=multipart`, {
      method: 'POST',
      headers: {'content-type': 'multipart/related; boundary=b'},
      body: Buffer.concat([
        Buffer.from(`${head}--b\r\ncontent-type: application/octet-stream\r\n\r\n`),
        bytes,
        Buffer.from('\r\n--b--\r\n'),
      ]),
    })
    assert.equal(answer.status, 200)
  }
  for (const [name, settings] of Object.entries({
    default: {},
    'class-acl': {'storage.storage_class': 'NEARLINE', 'storage.object_acl': 'publicRead'},
    'prefix-no-hash': {'storage.prefix': 'pkgs/', 'storage.prepend_hash': 'false'},
  })) {
    it(`lists, gives and deletes what pypicloud wrote: ${name}`, async () => {
      const fixture = JSON.parse(await readFile(join(gcsFixtures, `${name}.json`), 'utf8')) as BucketFixture
      await using store = await open({...settings, 'storage.bucket': `g-${name}`})
      for (const object of fixture.objects) {
        const {name: key, metadata} = object
        await upload(`g-${name}`, {name: key, metadata}, Buffer.alloc(Number(object.size), object.name))
      }
      const storage = new PackageStorage(store)
      let count = 0
      for await (const file of storage.list()) {
        assert.ok(!isOddity(file), JSON.stringify(file))
        const object = fixture.objects.find(
          ({metadata, name}) => name.endsWith(`/${file.filename}`) && metadata,
        )
        assert.ok(object)
        count += 1
        const {metadata} = object
        assert.deepEqual(
          [
            file.name,
            file.version,
            file.summary,
            file.data['hash_sha256'],
            file.data['uploader'],
            file.data.path,
          ],
          [
            metadata['name'],
            metadata['version'],
            metadata['summary'] ?? null,
            metadata['hash_sha256'],
            metadata['uploader'],
            object.name,
          ],
        )
        assert.equal(storage.usualKeyOf(file), object.name)
        const bytes = await buffer(await storage.open(file))
        assert.deepEqual(bytes, Buffer.alloc(Number(object.size), object.name))
        await storage.delete(file)
      }
      assert.equal(count, fixture.objects.length)
      assert.deepEqual(await keysOf(store), [])
    })
  }

  it('writes metadata as pypicloud does: underscores, and every letter kept', async () => {
    await using store = await open({'storage.storage_class': 'NEARLINE', 'storage.object_acl': 'public-read'})
    const metadata = {
      name: 'open-lib',
      version: '1.9',
      hash_md5: 'ab',
      summary: 'Bibliothèque ouverte — 開かれた',
    }
    await store.put('3115/open-lib/a-1.0.zip', bodyOf('x'), {replace: false, metadata})
    const key = encodeURIComponent('3115/open-lib/a-1.0.zip')
    const read = async (path: string) => {
      const answer = await fetch(`${service.url}/storage/v1/b/packages/o/${path}`)
      return (await answer.json()) as Record<string, unknown>
    }
    const stored = await read(key)
    assert.deepEqual(stored['metadata'], metadata)
    assert.equal(stored['contentType'], 'application/octet-stream')
    assert.equal(stored['storageClass'], 'NEARLINE')
    assert.match(JSON.stringify(await read(`${key}/acl`)), /allUsers/)
  })

  it('cuts a summary that is too long instead of losing the upload', async () => {
    await using store = await open()
    const metadata = {name: 'long', version: '1.0', summary: '開'.repeat(5000)}
    const stored = await store.put('long-1.0.zip', bodyOf('x'), {replace: true, metadata})
    assert.match(stored.metadata['summary'] ?? '', /^開{2000,}$/)
    assert.ok(Buffer.byteLength(stored.metadata['summary'] ?? '') <= 8192)
    assert.equal(stored.metadata['version'], '1.0')
  })

  it('makes a missing bucket in the region of the config', async () => {
    await using store = await open({'storage.bucket': 'made-anew', 'storage.region_name': 'EU'})
    await store.check()
    const answer = await fetch(`${service.url}/storage/v1/b/made-anew`)
    assert.equal(answer.status, 200)
  })

  it('goes over objects that are no packages, and names them', async () => {
    await using store = await open({'storage.bucket': 'odd'})
    await upload('odd', {name: 'folder/'}, Buffer.alloc(0))
    await upload('odd', {name: 'readme.txt'}, Buffer.from('x'))
    await upload('odd', {name: 'lib-1.0.tar.gz'}, Buffer.from('x')) // no metadata: its name tells
    await upload('odd', {name: 'line\nbreak-1.0.tar.gz'}, Buffer.from('x'))
    const found = []
    for await (const entry of new PackageStorage(store).list()) found.push(entry)
    const odd = found.filter(isOddity).map(({key}) => key)
    assert.deepEqual(odd.sort(), ['"line\\nbreak-1.0.tar.gz"', 'folder/', 'readme.txt'])
    const files = found.flatMap(entry => (isOddity(entry) ? [] : [`${entry.name} ${entry.version}`]))
    assert.deepEqual(files, ['lib 1.0'])
  })

  it('copies between buckets inside the service, with new metadata', async () => {
    await using source = await open({'storage.bucket': 'from'})
    await using target = await open({'storage.bucket': 'to', 'storage.prefix': 'p/'})
    const bytes = randomBytes(100_000)
    await source.put('ab/a b+c-1.0.zip', bodyOf(bytes), {
      replace: true,
      metadata: {summary: 'old', uploader: 'ada'},
    })
    const options = {replace: false, metadata: {summary: 'new'}}
    const copy = await target.copyFrom?.(source, 'ab/a b+c-1.0.zip', 'p/é-1.0.zip', options)
    assert.deepEqual(copy?.metadata, {summary: 'new'})
    assert.deepEqual(await buffer(await target.open('p/é-1.0.zip')), bytes)
    await assert.rejects(target.copyFrom!(source, 'ab/a b+c-1.0.zip', 'p/é-1.0.zip', options), ObjectExists)
    await assert.rejects(target.copyFrom!(source, 'none-1.0.zip', 'p/none-1.0.zip', options), ObjectMissing)
    assert.equal(await target.overlaps?.(source), false)
    await using outer = await open({'storage.bucket': 'to'})
    assert.equal(await outer.overlaps?.(target), true)
    await using proxy = await startFaultProxy(service.url) // another address of the same service
    await using again = await open({'storage.bucket': 'to'}, proxy.url)
    assert.deepEqual([await again.overlaps?.(target), await target.overlaps?.(again)], [true, true])
    await using other = await startService('fake-gcs-server')
    await using elsewhere = await open({'storage.bucket': 'to'}, other.url)
    await elsewhere.put('p/é-1.0.zip', bodyOf(bytes), {replace: true})
    assert.deepEqual([await elsewhere.overlaps?.(target), await target.overlaps?.(elsewhere)], [false, false])
  })

  describe('on a bad network', () => {
    const bytes = randomBytes(20 << 20)
    const big = {size: bytes.length, open: () => Readable.from(pieces(bytes), {objectMode: false})}
    const flaky = async (settings: Record<string, string>) => {
      const proxy = await startFaultProxy(service.url)
      const store = await open({'storage.bucket': 'flaky', ...settings}, proxy.url)
      return {
        proxy,
        store,
        async [Symbol.asyncDispose]() {
          await store[Symbol.asyncDispose]()
          await proxy[Symbol.asyncDispose]()
        },
      }
    }
    const answer503 = {kind: 'answer', status: 503, body: 'busy'} as const

    it('stores, reads, lists and deletes through resets and 503s', async () => {
      await using network = await flaky({})
      const {proxy, store} = network
      // No request meets more of them than attempts are made: uploads have one path together.
      proxy.faults = [
        {fault: answer503, method: 'POST', first: 3},
        {fault: {kind: 'reset'}, method: 'POST', first: 6},
        {fault: answer503, firstOfEach: 1},
        {fault: {kind: 'reset'}, firstOfEach: 3},
      ]
      const names = Array.from({length: 20}, (_, index) => `bad/f-${index}.zip`)
      await Promise.all(names.map(name => store.put(name, bodyOf(name), {replace: false})))
      assert.deepEqual(await keysOf(store), names.sort())
      await Promise.all(
        names.map(async name => {
          assert.equal(await text(await store.open(name)), name)
          await store.delete(name)
        }),
      )
      assert.deepEqual(await keysOf(store), [])
    })

    it('knows its own object when the answer was lost', async () => {
      await using network = await flaky({})
      const {proxy, store} = network
      proxy.faults = [{fault: {kind: 'lose-answer'}, method: 'POST', first: 1}]
      const stored = await store.put('lost/a-1.0.zip', bodyOf('mine'), {
        replace: false,
        metadata: {summary: 'me'},
      })
      assert.equal(stored.metadata['summary'], 'me')
      proxy.faults = [{fault: {kind: 'lose-answer'}, method: 'POST', first: 1}]
      await assert.rejects(store.put('lost/a-1.0.zip', bodyOf('other'), {replace: false}), ObjectExists)
      assert.equal(await text(await store.open('lost/a-1.0.zip')), 'mine')
    })

    it('knows its own copy when the answer was lost', async () => {
      await using network = await flaky({})
      const {proxy, store} = network
      await store.put('copy/a-1.0.zip', bodyOf('mine'), {replace: true})
      const copy = (uploader: string) =>
        store.copyFrom!(store, 'copy/a-1.0.zip', `copy/by-${uploader}`, {
          replace: false,
          metadata: {uploader},
        })
      // fake-gcs-server would not refuse the second attempt, which Google does
      const refusal = {
        kind: 'answer',
        status: 412,
        body: '{"error": {"message": "conditionNotMet"}}',
      } as const
      proxy.faults = [
        {fault: {kind: 'lose-answer'}, path: 'rewriteTo', nth: 1},
        {fault: refusal, path: 'rewriteTo', nth: 2},
      ]
      assert.equal((await copy('ada'))?.metadata['uploader'], 'ada')
      proxy.faults = [{fault: refusal, path: 'rewriteTo'}]
      await assert.rejects(copy('bo'), ObjectExists)
    })

    it('goes on with a large upload after its parts were cut', async () => {
      await using network = await flaky({})
      const {proxy, store} = network
      proxy.faults = [
        {fault: {kind: 'cut-upload', afterBytes: 3_000_000}, method: 'PUT', nth: 1},
        {fault: answer503, method: 'PUT', nth: 3},
        {fault: {kind: 'lose-answer'}, method: 'PUT', nth: 5},
      ]
      const stored = await store.put('large/a-1.0.zip', big, {replace: false, metadata: {summary: 'big'}})
      assert.deepEqual([stored.size, stored.metadata['summary']], [bytes.length, 'big'])
      assert.equal(digest(await buffer(await store.open('large/a-1.0.zip'))), digest(bytes))
    })

    it('goes on with a download that was cut', async () => {
      await using network = await flaky({})
      const {proxy, store} = network
      await store.put('cut/a-1.0.zip', big, {replace: true})
      proxy.requests.length = 0
      proxy.faults = [
        {fault: {kind: 'reset', afterBytes: 5_000_000}, path: 'alt=media', nth: 1},
        {fault: {kind: 'truncate', afterBytes: 5_000_000}, path: 'alt=media', nth: 2},
        {fault: answer503, path: 'alt=media', nth: 3},
      ]
      assert.equal(digest(await buffer(await store.open('cut/a-1.0.zip'))), digest(bytes))
      assert.equal(proxy.requests.filter(({path}) => path.includes('alt=media')).length, 4)
      const part = await buffer(await store.open('cut/a-1.0.zip', {start: 100, end: 199}))
      assert.deepEqual(part, bytes.subarray(100, 200))
    })

    it('fails rather than end early, when a download is cut for good', async () => {
      await using network = await flaky({})
      const {proxy, store} = network
      await store.put('cut/b-1.0.zip', bodyOf('0123456789'), {replace: true})
      proxy.faults = [{fault: {kind: 'truncate', afterBytes: 0}, path: 'alt=media'}]
      await assert.rejects(
        text(await store.open('cut/b-1.0.zip')),
        /cut\/b-1\.0\.zip can't be read from gs:\/\/flaky: the connection was cut/,
      )
    })

    it('leaves nothing of a large upload that breaks', async () => {
      await using network = await flaky({})
      const {proxy, store} = network
      await assert.rejects(
        store.put('gone/a-1.0.zip', bodyThatBreaks(20 << 20), {replace: false}),
        /went away/,
      )
      await assert.rejects(store.stat('gone/a-1.0.zip'), ObjectMissing)
      assert.ok(
        proxy.requests.some(({method, path}) => method === 'DELETE' && path.includes('upload_id=')),
        'the session is cancelled',
      )
    })

    it('says in one sentence that the service is down, and does not try for ever', async () => {
      await using network = await flaky({})
      const {proxy, store} = network
      proxy.faults = [{fault: answer503}]
      await assert.rejects(store.check(), {
        code: 'PPC_UNAVAILABLE',
        message: 'gs://flaky: the service answers 503: busy',
      })
      assert.ok(proxy.requests.length < 10)
    })
  })

  describe('settings that are wrong', () => {
    const refused = async (settings: Record<string, string>, message: RegExp, endpoint = service.url) => {
      await assert.rejects(open(settings, endpoint), error => {
        assert.ok(error instanceof Error)
        assert.match(error.message, message)
        assert.doesNotMatch(error.message, /\n|PRIVATE/)
        return true
      })
    }
    const key = 'storage.gcp_service_account_json_filename'

    it('name the key file that is missing, garbage or without its parts', async () => {
      await refused(
        {[key]: dir.join('none.json')},
        /\.ini:\d+: storage\.gcp_service.*none\.json can't be read: there is no such file/,
      )
      await writeFile(dir.join('garbage.json'), 'PRIVATE {')
      await refused(
        {[key]: dir.join('garbage.json')},
        /\.ini:\d+: storage\.gcp_service.*is not a JSON key file/,
      )
      await writeFile(
        dir.join('half.json'),
        '{"type": "service_account", "client_email": "a@b", "private_key": "PRIVATE"}',
      )
      await refused({[key]: dir.join('half.json')}, /half\.json has no private_key in PEM/)
    })

    it('name the variable when the file comes from the environment', async () => {
      const environment = {GOOGLE_APPLICATION_CREDENTIALS: dir.join('none.json')}
      await assert.rejects(openGcs(dir.path, service.url, {}, environment), /none\.json can't be read/)
    })

    it('name whose rights are too few, and what gives them', async () => {
      await using proxy = await startFaultProxy(service.url)
      const reason = 'a@b does not have storage.objects.list access to the Google Cloud Storage bucket.'
      const body = JSON.stringify({error: {code: 403, message: reason}})
      proxy.faults = [{fault: {kind: 'answer', status: 403, body}}]
      await cp(keyFile, dir.join('key.json'))
      await assert.rejects(open({[key]: dir.join('key.json')}, proxy.url), (error: PpcError) => {
        assert.match(
          error.message,
          /storage\.bucket: gs:\/\/packages at .* can't be used: not allowed with .*\.ini:\d+: storage\.gcp_service_account_json_filename: a@b does not/,
        )
        assert.match(error.hint ?? '', /role "Storage Object Admin" on the bucket/)
        return true
      })
      proxy.faults = [{fault: {kind: 'answer', status: 401, body: 'Unauthorized'}}]
      await refused({}, /the service does not accept the default credentials: Unauthorized/, proxy.url)
    })

    it('name the address where nobody listens', async () => {
      await refused(
        {},
        /storage\.gcp_api_endpoint: gs:\/\/packages at http.*the connection is refused/,
        'http://127.0.0.1:9',
      )
    })

    it('are refused before anything is asked', async () => {
      await refused(
        {'storage.object_acl': 'everybody'},
        /storage\.object_acl: expected one of authenticatedRead/,
      )
      await refused({'storage.public_url': 'true'}, /storage\.public_url/)
      await refused({}, /storage\.gcp_api_endpoint: expected a scheme/, 'localhost:4443')
    })
  })

  describe('links', () => {
    it('are absent where nothing can sign them', async () => {
      await using store = await open()
      assert.equal(store.links, undefined)
      assert.match(
        store.notices?.join('\n') ?? '',
        /^gs:\/\/packages: nothing can sign links, .*storage\.gcp_service_account_json_filename/,
      )
      await using streamed = await open({'pypi.stream_files': 'true'})
      assert.deepEqual(streamed.notices, [])
    })

    it('are signed with the key of the service account, and work at an emulator', async () => {
      await cp(keyFile, dir.join('key.json'))
      await using store = await open({
        'storage.gcp_service_account_json_filename': dir.join('key.json'),
        'storage.redirect_urls': 'false',
        'storage.expire_after': '9999999',
      })
      assert.deepEqual(store.notices, [])
      assert.equal(store.links?.inPages, true)
      assert.equal(store.links.expireAfterSeconds, 604_800)
      const url = await store.links.urlOf('b7bc/a/a-1!1.0+l.7.whl', 9_999_999)
      assert.equal(url.origin, service.url)
      assert.equal(url.pathname, '/packages/b7bc/a/a-1%211.0%2Bl.7.whl')
      assert.equal(url.searchParams.get('X-Goog-Expires'), '604800')
    })
  })
})

function* pieces(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 1 << 16) yield bytes.subarray(at, at + (1 << 16))
}
const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
