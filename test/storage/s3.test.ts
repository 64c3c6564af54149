import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {join} from 'node:path'
import {text} from 'node:stream/consumers'
import {after, before, describe, it} from 'node:test'
import {StorageFailed, Unavailable} from '../../src/lib/errors.js'
import {S3Api} from '../../src/lib/storage/s3/api.js'
import {s3Links} from '../../src/lib/storage/s3/links.js'
import {readS3Settings} from '../../src/lib/storage/s3/settings.js'
import {signUrl} from '../../src/lib/storage/s3/sign-url.js'
import {openS3Store} from '../../src/lib/storage/s3/s3.js'
import {isOddity} from '../../src/lib/storage/storage.js'
import {bodyOf} from '../contracts/object-store.js'
import {startFaultProxy} from '../services/fault-proxy.js'
import {startService, type Service} from '../services/index.js'
import {freePort} from '../support/free-port.js'
import {needs} from '../support/needs.js'
import {fixtures} from '../support/paths.js'
import {exampleKeys, s3Config} from './s3-services.js'

interface Case {
  readonly case: string
  readonly settings: Readonly<Record<string, string>>
  readonly made_at: number
  readonly urls: Readonly<Record<string, string>>
  readonly keys: Readonly<Record<string, string>>
}
const recordedUrls = JSON.parse(await readFile(join(fixtures, 's3', 'urls-s3.json'), 'utf8')) as Case[]

/** Links without asking any service. */
async function linksFor(settings: Readonly<Record<string, string>>) {
  const config = await s3Config(undefined, {'storage.region_name': '', ...settings})
  const s3Settings = readS3Settings(config, {})
  const region = s3Settings.values.regionName ?? 'us-east-1'
  const api = new S3Api(s3Settings, region)
  const bucket = s3Settings.values.bucket
  return s3Links(config, {name: 's3', api, bucket, region, settings: s3Settings})
}

describe('links to S3', () => {
  for (const {case: title, settings, made_at, urls, keys} of recordedUrls) {
    it(`lead where those of pypicloud lead: ${title}`, async () => {
      const links = await linksFor(settings)
      for (const [filename, recorded] of Object.entries(urls)) {
        const ours = await links.urlOf(keys[filename]!, 86_400)
        const isPublic = settings['storage.public_url'] === 'true'
        // pypicloud leaves public links as they are; a link with # or % in it leads elsewhere then
        const base = new URL(isPublic ? recorded.replaceAll('#', '%23') : recorded)
        assert.equal(ours.host, base.host)
        assert.equal(decodeURIComponent(ours.pathname), decodeURIComponent(base.pathname))
        if (!base.searchParams.has('X-Amz-Algorithm')) continue
        assert.deepEqual([...ours.searchParams.keys()], [...base.searchParams.keys()])
        const url = new URL(`${base.origin}${base.pathname}`)
        const signer = {
          ...exampleKeys,
          sessionToken: base.searchParams.get('X-Amz-Security-Token') ?? undefined,
        }
        const region = base.searchParams.get('X-Amz-Credential')!.split('/')[2]!
        assert.equal(signUrl(url, signer, region, 86_400, {now: new Date(made_at * 1000)}).href, recorded)
      }
    })
  }

  it('live for seven days at most, and the config says so', async () => {
    const settings = {'storage.bucket': 'my-bucket', 'storage.expire_after': '9999999'}
    const url = await (await linksFor(settings)).urlOf('a', 9_999_999)
    assert.equal(url.searchParams.get('X-Amz-Expires'), '604800')
    const {warnings} = await s3Config(undefined, settings)
    assert.ok(warnings.some(({key, message}) => key === 'storage.expire_after' && message.includes('604800')))
  })
})

describe('public links', () => {
  const settings = {'storage.bucket': 'my-bucket', 'storage.public_url': 'true'}

  it('lead to the endpoint where one is set, not to AWS', async () => {
    const at = async (extra: Record<string, string>) =>
      (await (await linksFor({...settings, ...extra})).urlOf('a b#+é', 60)).href
    const endpoint = {'storage.endpoint_url': 'https://minio.local:9000'}
    assert.equal(await at(endpoint), 'https://minio.local:9000/my-bucket/a%20b%23%2B%C3%A9')
    assert.equal(
      await at({...endpoint, 'storage.region_name': 'eu-west-1', 'storage.addressing_style': 'virtual'}),
      'https://my-bucket.minio.local:9000/a%20b%23%2B%C3%A9',
    )
    assert.equal(await at({}), 'https://my-bucket.s3.amazonaws.com/a%20b%23%2B%C3%A9')
  })
})

describe('settings of S3', () => {
  it('of pypicloud 0.x are an address, with a warning', async () => {
    const config = await s3Config(undefined, {
      'storage.host': 'minio.local',
      'storage.port': '9000',
      'storage.is_secure': 'false',
    })
    assert.equal(readS3Settings(config, {}).endpoint?.href, 'http://minio.local:9000/')
    assert.ok(config.warnings.some(({message}) => message.includes('storage.endpoint_url = http')))
    const aws = await s3Config(undefined, {'storage.host': 's3.eu-central-1.amazonaws.com'})
    assert.equal(readS3Settings(aws, {}).endpoint, undefined)
  })
})

describe('S3 that refuses', needs('versitygw'), () => {
  let service: Service & {accessKeyId: string; secretAccessKey: string}
  before(async () => {
    service = await startService('versitygw')
    await using store = await openS3Store(await s3Config(service.url, {}, service))
    await store.check()
  })
  after(() => service[Symbol.asyncDispose]())

  const refused = async (
    settings: Record<string, string>,
    kind: typeof StorageFailed | typeof Unavailable,
    reason: RegExp,
  ) => {
    const config = await s3Config(service.url, settings, service)
    await assert.rejects(openS3Store(config), (error: unknown) => {
      assert.ok(error instanceof kind, String(error))
      assert.match(error.message, reason)
      assert.doesNotMatch(error.message, /\n|wrong-secret/)
      return true
    })
  }

  it('an unknown access key names the setting', () =>
    refused(
      {'storage.aws_access_key_id': 'nobody'},
      StorageFailed,
      /does not know the access key of \S+server\.ini:\d+: storage\.aws_access_key_id/,
    ))
  it('a wrong secret names the setting', () =>
    refused(
      {'storage.aws_secret_access_key': 'wrong-secret'},
      StorageFailed,
      /storage\.aws_secret_access_key/,
    ))
  it('another region names the right one', () =>
    refused({'storage.region_name': 'eu-west-1'}, StorageFailed, /write storage\.region_name = us-east-1/))
  it('a bucket with an impossible name says so', () =>
    refused({'storage.bucket': 'Not_A_Bucket!'}, StorageFailed, /Not_A_Bucket!/))
  it('nobody listening is no mistake of the config', async () =>
    refused(
      {'storage.endpoint_url': `http://127.0.0.1:${await freePort()}`},
      Unavailable,
      /storage\.endpoint_url/,
    ))

  it('a region that nobody names is found out', async () => {
    const config = await s3Config(service.url, {'storage.region_name': ''}, service)
    process.env['AWS_REGION'] = 'eu-west-3'
    try {
      await using store = await openS3Store(config)
      await store.check()
    } finally {
      delete process.env['AWS_REGION']
    }
  })
})

describe('requests to S3', needs('moto'), () => {
  let moto: Service
  before(async () => {
    moto = await startService('moto')
  })
  after(() => moto[Symbol.asyncDispose]())

  it('say how objects are to be kept, and who asks', async () => {
    await using proxy = await startFaultProxy(moto.url)
    // moto fails on ACLs: what was sent counts
    proxy.faults = [{method: 'PUT', path: 'k-1.0.zip', fault: {kind: 'answer', status: 400}}]
    await using store = await openS3Store(
      await s3Config(proxy.url, {
        'storage.object_acl': 'public-read',
        'storage.storage_class': 'STANDARD_IA',
        'storage.server_side_encryption': 'aws:kms',
        'storage.sse_kms_key_id': 'alias/packages',
        'storage.user_agent': 'packages/1',
        'storage.user_agent_extra': 'for ada',
      }),
    )
    for (const size of [10, 9 << 20]) {
      proxy.requests.length = 0
      await store.put('k-1.0.zip', bodyOf(Buffer.alloc(size)), {replace: true}).catch(() => undefined)
      const request = proxy.requests.find(
        ({path}) => path.includes('k-1.0.zip') && !path.includes('partNumber'),
      )
      const headers = request?.headers ?? {}
      assert.deepEqual(
        [
          headers['x-amz-acl'],
          headers['x-amz-storage-class'],
          headers['x-amz-server-side-encryption'],
          headers['x-amz-server-side-encryption-aws-kms-key-id'],
          headers['user-agent'],
        ],
        ['public-read', 'STANDARD_IA', 'aws:kms', 'alias/packages', 'packages/1 for ada'],
      )
    }
  })

  it('cut a summary that is too long instead of losing the upload', async () => {
    await using store = await openS3Store(await s3Config(moto.url))
    const metadata = {name: 'long', version: '1.0', hash_md5: 'ab'.repeat(16), summary: 'word '.repeat(1000)}
    const stored = await store.put('long-1.0.zip', bodyOf('x'), {replace: true, metadata})
    assert.match(stored.metadata['summary'] ?? '', /^(?:word ){300,}/)
    assert.deepEqual([stored.metadata['version'], stored.metadata['hash-md5']], ['1.0', 'ab'.repeat(16)])
  })

  it('copy inside the service, and not between services', async () => {
    await using one = await openS3Store(await s3Config(moto.url, {'storage.bucket': 'one'}))
    await using two = await openS3Store(
      await s3Config(moto.url, {'storage.bucket': 'two', 'storage.prefix': 'p/'}),
    )
    await one.put('a b+é-1.0.zip', bodyOf('bytes'), {replace: false, metadata: {summary: 'old'}})
    const options = {replace: false, metadata: {summary: 'new'}}
    const copied = await two.copyFrom?.(one, 'a b+é-1.0.zip', 'p/c-1.0.zip', options)
    assert.equal(copied?.metadata['summary'], 'new')
    assert.equal(await text(await two.open('p/c-1.0.zip')), 'bytes')
    await assert.rejects(
      async () => two.copyFrom?.(one, 'a b+é-1.0.zip', 'p/c-1.0.zip', options),
      /already stored/,
    )
    await assert.rejects(
      async () => two.copyFrom?.(one, 'absent', 'p/d-1.0.zip', options),
      /absent is not stored/,
    )
    await using other = await openS3Store(await s3Config(moto.url.replace('127.0.0.1', 'localhost')))
    assert.equal(await other.copyFrom?.(one, 'a b+é-1.0.zip', 'c-1.0.zip', options), undefined)
  })

  it('find out that two places overlap, however the service is spelt', async () => {
    const at = async (url: string, prefix: string, bucket = 'shared') =>
      openS3Store(await s3Config(url, {'storage.bucket': bucket, 'storage.prefix': prefix}))
    await using one = await at(moto.url, 'pkg')
    for (const [prefix, bucket, expected] of [
      ['pkg-old/', 'shared', true],
      ['', 'shared', true],
      ['other/', 'shared', false],
      ['pkg', 'another', false],
    ] as const) {
      for (const host of ['127.0.0.1', 'localhost']) {
        await using two = await at(moto.url.replace('127.0.0.1', host), prefix, bucket)
        assert.equal(await one.overlaps?.(two), expected, `${prefix} in ${bucket} at ${host}`)
      }
    }
    for await (const entry of one.list('')) assert.fail(isOddity(entry) ? entry.key : entry.key)
  })
})
