import assert from 'node:assert/strict'
import {createHash} from 'node:crypto'
import {readdir, readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {text} from 'node:stream/consumers'
import {after, before, describe, it} from 'node:test'
import {CreateBucketCommand, PutObjectCommand, S3Client} from '@aws-sdk/client-s3'
import type {DistFile} from '../../src/lib/packaging/dist-file.js'
import {hashStream} from '../../src/lib/packaging/hashes.js'
import {PackageStorage} from '../../src/lib/storage/package-storage.js'
import {openS3Store} from '../../src/lib/storage/s3/s3.js'
import {isOddity, type Oddity} from '../../src/lib/storage/storage.js'
import {bodyOf} from '../contracts/object-store.js'
import {startService, type Service} from '../services/index.js'
import {needs} from '../support/needs.js'
import {fixtures} from '../support/paths.js'
import {exampleKeys, s3Config} from './s3-services.js'

interface WrittenObject {
  readonly key: string
  readonly size: number
  readonly metadata: Record<string, string>
  readonly sha256: string
}
interface Variant {
  readonly bucket: string
  readonly config: string
  readonly objects: readonly WrittenObject[]
}

const variants = [
  'default',
  'no-hash',
  'prefix',
  'prefix-no-hash',
  'prefix-no-slash',
  'sse-acl-class',
  'no-redirect',
  'public',
  'public-region',
]

/** Every package of the fixtures, by its SHA-256. */
async function packageBytes(): Promise<Map<string, Buffer>> {
  const found = new Map<string, Buffer>()
  const directory = join(fixtures, 'file-storage', 'packages')
  for (const entry of await readdir(directory, {recursive: true, withFileTypes: true})) {
    if (!entry.isFile()) continue
    const bytes = await readFile(join(entry.parentPath, entry.name))
    found.set(createHash('sha256').update(bytes).digest('hex'), bytes)
  }
  return found
}

async function list(storage: PackageStorage): Promise<{files: DistFile[]; oddities: Oddity[]}> {
  const files: DistFile[] = []
  const oddities: Oddity[] = []
  for await (const entry of storage.list()) {
    if (isOddity(entry)) oddities.push(entry)
    else files.push(entry)
  }
  return {files, oddities}
}

describe('a bucket that pypicloud has filled', needs('moto'), () => {
  let moto: Service
  let raw: S3Client
  before(async () => {
    moto = await startService('moto')
    raw = new S3Client({
      endpoint: moto.url,
      region: 'us-east-1',
      forcePathStyle: true,
      credentials: exampleKeys,
    })
  })
  after(async () => {
    raw.destroy()
    await moto[Symbol.asyncDispose]()
  })
  const putRaw = (
    bucket: string,
    key: string,
    body: Buffer | string,
    metadata: Record<string, string> = {},
  ) => raw.send(new PutObjectCommand({Bucket: bucket, Key: key, Body: Buffer.from(body), Metadata: metadata}))
  const open = async (settings: Record<string, string>) => openS3Store(await s3Config(moto.url, settings))

  for (const variant of variants) {
    it(`of the variant ${variant} lists, reads and deletes like its own`, async () => {
      const written = JSON.parse(await readFile(join(fixtures, 's3', `${variant}.json`), 'utf8')) as Variant
      const bytes = await packageBytes()
      await raw.send(new CreateBucketCommand({Bucket: written.bucket}))
      for (const {key, sha256, metadata} of written.objects) {
        await putRaw(written.bucket, key, bytes.get(sha256) ?? '', metadata)
      }
      const settings = Object.fromEntries(
        written.config
          .split('\n')
          .filter(line => line.startsWith('storage.') && !line.startsWith('storage.endpoint_url'))
          .map(line => line.split(' = ') as [string, string]),
      )
      await using store = await open(settings)
      const storage = new PackageStorage(store)
      const {files, oddities} = await list(storage)
      assert.deepEqual(oddities, [])
      assert.deepEqual(
        new Set(files.map(file => file.data.path)),
        new Set(written.objects.map(({key}) => key)),
      )
      for (const {key, size, metadata, sha256} of written.objects) {
        const file = files.find(({data}) => data.path === key)
        assert.ok(file)
        assert.deepEqual(
          [file.name, file.version, file.data.size, file.data.hash_sha256, file.data.uploader],
          [metadata['name'], metadata['version'], size, metadata['hash-sha256'], metadata['uploader']],
        )
        assert.equal(file.summary?.trim(), metadata['summary']?.trim())
        assert.equal(storage.usualKeyOf(file), key, 'the key that we would give it')
        assert.equal((await hashStream(await storage.open(file))).sha256, sha256)
        await storage.delete(file)
      }
      assert.deepEqual(await list(storage), {files: [], oddities: []})
    })
  }

  it('in one of its earlier versions is read too', async () => {
    await using store = await open({'storage.bucket': 'old'})
    const storage = new PackageStorage(store)
    await putRaw('old', 'ab12/no-metadata/no_metadata-1.2.tar.gz', 'x')
    await putRaw('old', 'underscores/underscores-1.0.zip', 'x', {
      name: 'underscores',
      version: '1.0',
      hash_sha256: 'ab',
      requires_python: '>=3',
    })
    await putRaw('old', 'encoded/encoded-1.0.zip', 'x', {
      name: 'encoded',
      version: '1.0',
      summary: '=?UTF-8?B?QmlibGlvdGjDqHF1ZQ==?= =?utf-8?Q?_ouverte_=E9=96=8B?=',
    })
    await putRaw('old', 'folder/', '')
    await putRaw('old', 'notes.txt', 'x')
    const {files, oddities} = await list(storage)
    assert.deepEqual(
      files.map(file => [
        file.name,
        file.version,
        file.summary,
        file.data.hash_sha256,
        file.data.requires_python,
      ]),
      [
        ['no-metadata', '1.2', null, undefined, undefined],
        ['encoded', '1.0', 'Bibliothèque ouverte 開', undefined, undefined],
        ['underscores', '1.0', null, 'ab', '>=3'],
      ],
    )
    assert.deepEqual(new Set(oddities.map(({key}) => key)), new Set(['folder/', 'notes.txt']))
  })

  it('gets metadata in the same form from us', async () => {
    await using store = await openS3Store(await s3Config(moto.url, {'storage.bucket': 'new'}))
    const summary = 'Bibliothèque  ouverte\n— 開かれた'
    const stored = await putAndStat(store, summary)
    assert.deepEqual(stored, {'requires-python': '>=3', summary: 'Bibliotheque ouverte', uploader: 'Jurgen'})
    const long = await putAndStat(store, 'long '.repeat(2000))
    assert.equal(long['uploader'], 'Jurgen')
    assert.ok((long['summary'] ?? '').startsWith('long long') && (long['summary'] ?? '').length > 1500)
  })
})

async function putAndStat(
  store: Awaited<ReturnType<typeof openS3Store>>,
  summary: string,
): Promise<Readonly<Record<string, string>>> {
  const metadata = {requires_python: '>=3', summary, uploader: 'Jürgen'}
  await store.put('k', bodyOf('x'), {replace: true, metadata})
  assert.equal(await text(await store.open('k')), 'x')
  return (await store.stat('k')).metadata
}
