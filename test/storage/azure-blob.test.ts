import assert from 'node:assert/strict'
import {createHash, randomBytes} from 'node:crypto'
import {buffer, text} from 'node:stream/consumers'
import {after, before, describe, it} from 'node:test'
import {gzipSync} from 'node:zlib'
import {PpcError, StorageFailed, Unavailable} from '../../src/lib/errors.js'
import {Notes} from '../../src/lib/index/notes.js'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {isOddity, ObjectExists, ObjectMissing, type ObjectStore} from '../../src/lib/storage/storage.js'
import {migrateFiles} from '../../src/lib/tasks/migrate/migrate.js'
import {bodyOf} from '../contracts/object-store.js'
import type {Azurite} from '../services/azurite.js'
import {startFaultProxy, type FaultProxy} from '../services/fault-proxy.js'
import {startService} from '../services/index.js'
import {needs} from '../support/needs.js'
import {twoPlaces} from '../tasks/migrate-places.js'
import {AzureContainers, loadOriginal} from './open-azure.js'

describe('azure-blob', needs('azurite'), () => {
  let azurite: Azurite
  let azure: AzureContainers
  before(async () => {
    azurite = await startService('azurite')
    azure = await AzureContainers.on(azurite)
  })
  after(async () => {
    await azure[Symbol.asyncDispose]()
    await azurite[Symbol.asyncDispose]()
  })

  describe('what pypicloud stored', () => {
    for (const [fixture, prefix] of [
      ['default', ''],
      ['prefix', 'pkgs/'],
    ] as const) {
      it(`is listed with all that it says, downloaded and deleted, ${fixture}`, async () => {
        const written = await loadOriginal(azure, fixture)
        await using store = await azure.open(`c-${fixture}`, {'storage.prefix': prefix})
        const storage = new PackageStorage(store)
        const files: DistFile[] = []
        for await (const entry of storage.list()) {
          assert.ok(!isOddity(entry))
          files.push(entry)
        }
        assert.equal(files.length, written.length)
        for (const blob of written) {
          const file = files.find(({data}) => data.path === blob.name)
          assert.ok(file, blob.name)
          const {name, version, summary, ...others} = blob.metadata
          assert.deepEqual([file.name, file.version, file.summary], [name, version, summary ?? null])
          for (const [key, value] of Object.entries(others)) assert.equal(file.data[key], value, key)
          assert.equal(file.data.size, blob.size)
          assert.equal((await buffer(await storage.open(file))).length, blob.size)
          await storage.delete(file)
        }
        for await (const entry of storage.list()) assert.fail(JSON.stringify(entry))
      })
    }
  })

  it('stores blobs as pypicloud expects them, and summaries that Azure could not take', async () => {
    await using store = await azure.open('shape', {'storage.prefix': 'p-'})
    const metadata = {
      name: 'tool',
      version: '1.0',
      hash_sha256: 'ab'.repeat(32),
      summary: `Bibliothèque  ouverte\n日本語 ${'x'.repeat(9000)}`,
    }
    await store.put('p-tool/tool-1.0.zip', bodyOf('bytes'), {replace: false, metadata})
    const found = await azure.container('shape').getBlobClient('p-tool/tool-1.0.zip').getProperties()
    assert.match(found.metadata?.['summary'] ?? '', /^Bibliotheque ouverte x{7000}/)
    assert.equal(found.metadata?.['hash_sha256'], metadata.hash_sha256)
    assert.equal(found.contentType, 'application/octet-stream')
    assert.deepEqual(Buffer.from(found.contentMD5 ?? []), createHash('md5').update('bytes').digest())
  })

  it('reads blobs that others put there by their file names, and names those that are no packages', async () => {
    const container = azure.container('foreign')
    await container.create()
    await container.getBlockBlobClient('lib/lib-2.0.tar.gz').upload('abc', 3)
    await container.getBlockBlobClient('lib/notes.txt').upload('abc', 3)
    await container.getAppendBlobClient('lib/lib-2.1.tar.gz').create()
    await container.getBlockBlobClient('lib').upload('', 0, {metadata: {hdi_isfolder: 'true'}})
    await container.getBlockBlobClient('lib/lib-3.0.tar.gz').stageBlock('AAAA', 'abc', 3)
    await using store = await azure.open('foreign')
    const found: string[] = []
    for await (const entry of new PackageStorage(store).list()) {
      found.push(isOddity(entry) ? `odd ${entry.key}` : `${entry.name} ${entry.version}`)
    }
    assert.deepEqual(found.sort(), ['lib 2.0', 'lib 2.1', 'odd lib/notes.txt'])
  })

  it('gives a blob that says it is compressed as it is stored, whole and in parts', async () => {
    const container = azure.container('encoded')
    await container.create()
    const bytes = gzipSync(randomBytes(300_000))
    const blobHTTPHeaders = {blobContentEncoding: 'gzip'}
    await container.getBlockBlobClient('lib/lib-2.0.tar.gz').upload(bytes, bytes.length, {blobHTTPHeaders})
    await using store = await azure.open('encoded')
    assert.deepEqual(await buffer(await store.open('lib/lib-2.0.tar.gz')), bytes)
    const part = await buffer(await store.open('lib/lib-2.0.tar.gz', {start: 10, end: 99}))
    assert.deepEqual(part, bytes.subarray(10, 100))
  })

  it('makes a container that is missing, closed to the public', async () => {
    await using store = await azure.open('made-here')
    assert.equal((await azure.container('made-here').getProperties()).blobPublicAccess, undefined)
    await store.check()
    await azure.container('made-here').delete()
    await assert.rejects(
      store.check(),
      /there is no such container; see .*server\.ini:\d+: storage\.storage_container_name/,
    )
  })

  it('signs links that work without credentials, for reading one blob, until they expire', async () => {
    await using store = await azure.open('links', {'storage.expire_after': '60'})
    assert.deepEqual([store.links?.inPages, store.links?.expireAfterSeconds], [false, 60])
    const key = 'tool/tool-1!2.0+local.1 é#?%2B.zip'
    await store.put(key, bodyOf('the bytes'), {replace: false})
    await store.put('tool/other-1.0.zip', bodyOf('other'), {replace: false})
    const link = await store.links?.urlOf(key, 60)
    assert.ok(link)
    assert.equal(await (await fetch(link)).text(), 'the bytes')
    assert.equal((await fetch(link, {method: 'DELETE'})).status, 403)
    const elsewhere = new URL(`${azure.container('links').url}/tool/other-1.0.zip${link.search}`)
    assert.equal((await fetch(elsewhere)).status, 403)
    const late = await store.links?.urlOf(key, -60)
    assert.ok(late)
    assert.equal((await fetch(late)).status, 403)
  })

  it('gives no links, and its token to nobody, with a SAS token', async () => {
    const token = azure.token()
    const {accountUrl} = azure
    for (const settings of [
      {'storage.storage_sas_token': `?${token}`},
      {'storage.storage_account_url': `${accountUrl}?${token}`},
    ]) {
      await using store = await azure.open('token', {'storage.storage_account_key': '', ...settings})
      assert.equal(store.links, undefined)
      assert.equal(store.name.includes('sig='), false)
      await store.put('tool/tool-1.0.zip', bodyOf('x'), {replace: true})
      assert.equal(await text(await store.open('tool/tool-1.0.zip')), 'x')
    }
  })

  describe('a wrong setting is one sentence that names it', () => {
    const cases: [title: string, settings: Record<string, string>, expected: RegExp][] = [
      [
        'a key of another account',
        {'storage.storage_account_key': Buffer.alloc(64).toString('base64')},
        /server\.ini:\d+: storage\.storage_account_key/,
      ],
      [
        'a key that is none',
        {'storage.storage_account_key': 'short'},
        /storage\.storage_account_key: is not the Base64 text/,
      ],
      [
        'a name that no container has',
        {'storage.storage_container_name': 'No_Container'},
        /server\.ini:\d+: storage\.storage_container_name: expected 3 to 63 lower-case .* found "No_Container"/,
      ],
      [
        'an account that the service does not have',
        {'storage.storage_account_url': `URL/../nobody`},
        /the service knows no such account; see .*storage\.storage_account_url/,
      ],
      [
        'a token that is none',
        {'storage.storage_account_key': '', 'storage.storage_sas_token': 'secret'},
        /storage\.storage_sas_token: has no shared access signature/,
      ],
      [
        'an address where nobody listens',
        {'storage.storage_account_url': 'http://127.0.0.1:9/devstoreaccount1'},
        /nobody listens there.*storage\.storage_account_url/,
      ],
      [
        'a host that is not there',
        {'storage.storage_account_url': 'https://nobody.invalid'},
        /storage\.storage_account_url/,
      ],
      [
        'an address that is none',
        {'storage.storage_account_url': 'http://:port:'},
        /storage\.storage_account_url: gives no address/,
      ],
      [
        'no credentials over http',
        {'storage.storage_account_key': ''},
        /storage\.storage_account_url: an identity is shown over https only/,
      ],
    ]
    for (const [title, settings, expected] of cases) {
      it(title, async () => {
        const url = settings['storage.storage_account_url']?.replace('URL', azure.accountUrl)
        const resolved = url === undefined ? settings : {...settings, 'storage.storage_account_url': url}
        await assert.rejects(azure.open('wrong', resolved), (error: Error) => {
          assert.ok(error instanceof PpcError, error.stack)
          assert.match(error.message, expected)
          assert.equal(error.message.split('\n').length, 1)
          return true
        })
      })
    }

    it('a token that may only read', async () => {
      await azure.container('read-only').create()
      const settings = {'storage.storage_account_key': '', 'storage.storage_sas_token': azure.token('rl')}
      await using store = await azure.open('read-only', settings)
      const expected = /storage\.storage_sas_token gives no right to do that/
      await assert.rejects(store.put('a/a-1.0.zip', bodyOf('x'), {replace: false}), expected)
      await assert.rejects(store.delete('a/a-1.0.zip'), expected)
      assert.equal(await store.notes?.read(), undefined)
      await assert.rejects(
        store.notes!.write('{}', undefined),
        /no right to the container read-only-ppc-notes/,
      )
      await assert.rejects(
        azure.open('not-there', settings),
        /there is no such container, and .*storage_sas_token gives no right to make it/,
      )
    })

    it('a token of one container, which a migration fills with a warning', async () => {
      await azure.container('only-this').create()
      const settings = {
        'storage.storage_account_key': '',
        'storage.storage_sas_token': azure.tokenOf('only-this'),
      }
      await using places = await twoPlaces()
      await new Notes(places.source).seal(['deleted'])
      await using store = await azure.open('only-this', settings)
      const there = await migrateFiles(places.source, store)
      assert.deepEqual([there.copied, there.failedCount], [14, 0])
      assert.match(there.warnings[0]!, /was not locked.*storage_sas_token.*only-this-ppc-notes/)
      assert.match(there.warnings[1]!, /names that were deleted there, was not carried/)
      const back = await migrateFiles(store, places.target)
      assert.deepEqual([back.copied, back.warnings.length], [14, 1])
    })

    it('a token that has expired', async () => {
      const settings = {
        'storage.storage_account_key': '',
        'storage.storage_sas_token': azure.token('rl', -60),
      }
      await assert.rejects(
        azure.open('read-only', settings),
        /server\.ini:\d+: storage\.storage_sas_token has expired on 20/,
      )
    })
  })

  describe('when the way to the service breaks', () => {
    let proxy: FaultProxy
    let store: ObjectStore
    const big = randomBytes(20 << 20)
    before(async () => {
      proxy = await startFaultProxy(azurite.url)
      store = await azure.open('faults', {'storage.storage_account_url': proxy.url})
    })
    after(async () => {
      await store[Symbol.asyncDispose]()
      await proxy[Symbol.asyncDispose]()
    })
    const put = (key: string, bytes: Buffer, replace = false) =>
      store.put(key, bodyOf(bytes), {replace, metadata: {name: 'f', version: '1'}})

    it('uploads and downloads come through whole', async () => {
      const cutUpload = {kind: 'cut-upload', afterBytes: 100_000} as const
      const busy = {kind: 'answer', status: 503, headers: {'x-ms-error-code': 'ServerBusy'}} as const
      proxy.faults = [
        // no request meets more of them than attempts are made
        {method: 'PUT', path: 'big', first: 2, fault: cutUpload},
        {method: 'PUT', path: 'big', first: 3, fault: busy},
        {method: 'PUT', path: 'big', first: 5, fault: {kind: 'lose-answer'}},
        {method: 'PUT', path: /small-[036]/, firstOfEach: 1, fault: cutUpload},
        {method: 'PUT', path: /small-[147]/, firstOfEach: 1, fault: busy},
        {method: 'PUT', path: /small-[25]/, firstOfEach: 1, fault: {kind: 'lose-answer'}},
        {method: 'GET', first: 2, fault: {kind: 'reset', afterBytes: 3_000_000}},
        {method: 'GET', nth: 3, fault: {kind: 'truncate', afterBytes: 2_000_000}},
        {method: 'GET', nth: 4, fault: {kind: 'reset'}},
      ]
      await put('f/big-1.0.zip', big)
      for (let index = 0; index < 8; index += 1)
        await put(`f/small-${index}.zip`, big.subarray(0, 300_000 + index))
      assert.ok((await buffer(await store.open('f/big-1.0.zip'))).equals(big))
      assert.ok(proxy.requests.filter(({method, fault}) => method === 'GET' && fault).length === 4)
      proxy.faults = []
      for (let index = 0; index < 8; index += 1) {
        const found = await buffer(await store.open(`f/small-${index}.zip`))
        assert.ok(found.equals(big.subarray(0, 300_000 + index)))
      }
    })

    it('a page of a listing that is cut is asked for again', async () => {
      proxy.faults = [{method: 'GET', first: 1, fault: {kind: 'reset', afterBytes: 300}}]
      const keys = await keysOf(store)
      assert.equal(keys.length, 9)
    })

    it('a service that stays down is reported, and nothing is half visible', async () => {
      proxy.faults = [{method: 'PUT', fault: {kind: 'answer', status: 500}}]
      await assert.rejects(put('f/down-1.0.zip', big), Unavailable)
      await assert.rejects(put('f/down-2.0.zip', big.subarray(0, 1000)), Unavailable)
      proxy.faults = []
      assert.equal((await keysOf(store)).filter(key => key.includes('down')).length, 0)
    })

    it('a download that can not go on fails instead of ending early', async () => {
      proxy.faults = [
        {method: 'GET', first: 1, fault: {kind: 'truncate', afterBytes: 1_000_000}},
        {method: 'GET', fault: {kind: 'reset', afterBytes: 0}},
      ]
      const reading = await store.open('f/big-1.0.zip')
      await assert.rejects(buffer(reading), Unavailable)
    })

    it('a download of what is replaced meanwhile fails', async () => {
      proxy.faults = []
      await put('f/turned-1.0.zip', big)
      proxy.faults = [{method: 'GET', first: 1, fault: {kind: 'truncate', afterBytes: 5_000_000}}]
      const reading = await store.open('f/turned-1.0.zip')
      await put('f/turned-1.0.zip', randomBytes(big.length), true)
      await assert.rejects(buffer(reading), StorageFailed)
    })
  })

  describe('copies inside the service', () => {
    it('take bytes over with new metadata, and only where nothing is', async () => {
      await using source = await azure.open('copy-from')
      await using target = await azure.open('copy-to', {'storage.prefix': 'to/'})
      const bytes = randomBytes(100_000)
      const metadata = {name: 'tool', version: '1.0'}
      await source.put('tool/tool-1.0.zip', bodyOf(bytes), {
        replace: false,
        metadata: {...metadata, uploader: 'ada'},
      })
      const copy = (key: string, replace = false) =>
        target.copyFrom!(source, 'tool/tool-1.0.zip', key, {replace, metadata: {...metadata, uploader: 'bo'}})
      const copied = await copy('to/tool/tool-1.0.zip')
      assert.equal(copied?.size, bytes.length)
      const found = await target.stat('to/tool/tool-1.0.zip')
      assert.equal(found.metadata['uploader'], 'bo')
      assert.equal(found.fingerprint, copied.fingerprint)
      assert.ok((await buffer(await target.open('to/tool/tool-1.0.zip'))).equals(bytes))
      await assert.rejects(copy('to/tool/tool-1.0.zip'), ObjectExists)
      assert.ok(await copy('to/tool/tool-1.0.zip', true))
      await assert.rejects(
        target.copyFrom!(source, 'tool/none-1.0.zip', 'to/x', {replace: false, metadata}),
        ObjectMissing,
      )
    })

    it('are made where both ends have a token only', async () => {
      const settings = {'storage.storage_account_key': '', 'storage.storage_sas_token': azure.token()}
      await using store = await azure.open('copy-token', settings)
      await store.put('a/a-1.0.zip', bodyOf('x'), {replace: false})
      const copied = await store.copyFrom!(store, 'a/a-1.0.zip', 'a/a-2.0.zip', {
        replace: false,
        metadata: {name: 'a'},
      })
      assert.equal(copied?.size, 1)
    })

    it('are left to others where no digest of the source is known', async () => {
      await using store = await azure.open('copy-unknown')
      const blob = azure.container('copy-unknown').getBlockBlobClient('a/a-1.0.zip')
      await blob.stageBlock('AAAA', 'abc', 3)
      await blob.commitBlockList(['AAAA'])
      await blob.setHTTPHeaders({})
      const copied = await store.copyFrom!(store, 'a/a-1.0.zip', 'a/a-2.0.zip', {
        replace: false,
        metadata: {name: 'a'},
      })
      assert.equal(copied, undefined)
    })
  })

  it('knows when two configs name the same place', async () => {
    await using proxy = await startFaultProxy(azurite.url)
    const elsewhere = {'storage.storage_account_url': proxy.url}
    await using whole = await azure.open('overlap')
    await using part = await azure.open('overlap', {'storage.prefix': 'a/', ...elsewhere})
    await using sibling = await azure.open('overlap', {'storage.prefix': 'b/'})
    await using other = await azure.open('overlap-other')
    assert.equal(await whole.overlaps?.(part), true)
    assert.equal(await part.overlaps?.(whole), true)
    assert.equal(await part.overlaps?.(sibling), false)
    assert.equal(await whole.overlaps?.(other), false)
  })

  it('keeps notes in a container beside that of the packages', async () => {
    const name = `long-${'n'.repeat(58)}`
    await using store = await azure.open(name)
    assert.equal(await store.notes!.write('{}', undefined), true)
    const names: string[] = []
    for await (const container of azure.service.listContainers({prefix: 'long-'})) names.push(container.name)
    assert.equal(names.length, 2)
    assert.equal((await keysOf(store)).length, 0)
  })

  it('two who replace a large object at once both succeed, and one of them is there whole', async () => {
    await using store = await azure.open('large-race')
    const contents = [randomBytes(18 << 20), randomBytes(18 << 20)]
    await Promise.all(contents.map(bytes => store.put('a/a-1.0.zip', bodyOf(bytes), {replace: true})))
    const found = await buffer(await store.open('a/a-1.0.zip'))
    assert.ok(contents.some(bytes => bytes.equals(found)))
  })
})

async function keysOf(store: ObjectStore): Promise<string[]> {
  const keys: string[] = []
  for await (const entry of store.list('')) keys.push(entry.key)
  return keys
}
