import assert from 'node:assert/strict'
import {CreateSecretCommand, SecretsManagerClient} from '@aws-sdk/client-secrets-manager'
import {after, before, describe, it} from 'node:test'
import {s3Error, startFaultProxy, type FaultProxy} from '../services/fault-proxy.js'
import {startService, type Service} from '../services/index.js'
import {needs} from '../support/needs.js'
import {configWith, tempDir} from '../support/temp.js'
import {
  bucket as bucketPlace,
  cacheEqualsStorage,
  installationOf,
  type StartedPlace,
} from '../tasks/rebuild-places.js'
import {s3Event, s3Record, sqsEvent} from './events.js'
import {buildFunction, invoke} from './function.js'

const credentials = {accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret'}

describe('the function, when things go wrong', needs('versitygw', 'ministack'), () => {
  let bucket: StartedPlace, aws: Service, dynamo: FaultProxy, unpacked: Awaited<ReturnType<typeof tempDir>>
  before(async () => {
    ;[bucket, aws, unpacked] = await Promise.all([bucketPlace.start(), startService('ministack'), tempDir()])
    dynamo = await startFaultProxy(aws.url)
    await configWith(unpacked.path, await settings())
    await buildFunction(unpacked.path)
  })
  after(async () => {
    for (const each of [dynamo, bucket, aws, unpacked]) await each[Symbol.asyncDispose]()
  })
  const settings = async (): Promise<Record<string, string>> => ({
    ...(await bucket.fresh()),
    'pypi.db': 'dynamo',
    'db.region_name': 'us-east-1',
    'db.host': '127.0.0.1',
    'db.port': String(dynamo.port),
    'db.aws_access_key_id': credentials.accessKeyId,
    'db.aws_secret_access_key': credentials.secretAccessKey,
    'db.namespace': `t${Math.random().toString(36).slice(2)}-`,
  })
  const throttled = {
    kind: 'answer',
    status: 400,
    headers: {'Content-Type': 'application/x-amz-json-1.0'},
    body: JSON.stringify({__type: 'com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException'}),
  } as const

  it('gets a large batch done while the cache is throttled', async () => {
    const given = await settings()
    await using index = await installationOf(given)
    const files = await Promise.all(
      Array.from({length: 30}, (_, number) => index.put(`many-${number % 10}`, `1.${number}`)),
    )
    const name = given['storage.bucket'] ?? ''
    const events = files.map(file => s3Event(s3Record(name, index.storage.keyOf(file))))
    const bodies = Object.fromEntries([...events, ...events].map((event, id) => [String(id), event]))
    dynamo.faults = [{fault: throttled, every: 4}]
    try {
      const {results} = await invoke(unpacked.path, given, [sqsEvent(bodies)])
      assert.deepEqual(results, [{batchItemFailures: []}])
    } finally {
      dynamo.faults = []
    }
    assert.equal(await cacheEqualsStorage(index), 30)
  })

  it('fails alone with the object that the storage does not let it read', async () => {
    const given = await settings()
    await using index = await installationOf(given)
    const [good, bad] = [await index.put('good', '1.0'), await index.put('bad', '1.0')]
    assert.ok(bucket.proxy)
    bucket.proxy.faults = [{fault: s3Error(403, 'AccessDenied'), path: '/bad-1.0'}]
    try {
      const event = (file: typeof good) =>
        s3Event(s3Record(given['storage.bucket'] ?? '', index.storage.keyOf(file)))
      const {results, log} = await invoke(unpacked.path, given, [
        sqsEvent({good: event(good), bad: event(bad)}),
      ])
      assert.deepEqual(results, [{batchItemFailures: [{itemIdentifier: 'bad'}]}])
      const failure = log.find(({level}) => level === 'error')
      assert.match(failure?.reason ?? '', /^s3:.*bad-1\.0\.tar\.gz can't be looked up/)
    } finally {
      bucket.proxy.faults = []
    }
  })

  it('takes settings from secrets, and says which one it may not read', async () => {
    const given = await settings()
    await using index = await installationOf(given)
    const event = s3Event(
      s3Record(given['storage.bucket'] ?? '', index.storage.keyOf(await index.put('one', '1.0'))),
    )
    const client = new SecretsManagerClient({region: 'us-east-1', endpoint: aws.url, credentials})
    const keep = async (name: string, value: unknown) =>
      (await client.send(new CreateSecretCommand({Name: name, SecretString: JSON.stringify(value)}))).ARN ??
      ''
    const [key, whole] = [
      await keep('keys', {'the key': credentials.secretAccessKey}),
      await keep('all', given),
    ]
    client.destroy()
    const env = {
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_ENDPOINT_URL_SECRETS_MANAGER: aws.url,
    }
    const byMember = {...given, 'db.aws_secret_access_key': `${key}#the key`}
    const [one, two, none] = [
      await invoke(unpacked.path, byMember, [event], {env}),
      await invoke(unpacked.path, whole, [event], {env}),
      await invoke(unpacked.path, {...given, 'db.aws_secret_access_key': `${key}#other`}, [event], {env}),
    ]
    assert.deepEqual([one.results, two.results], [[{added: 1}], [{unchanged: 1}]])
    assert.deepEqual(none.results, [{thrown: 'db.aws_secret_access_key: the secret has no member "other"'}])
    const missing = whole.replace(/[^:]+$/, 'nowhere')
    const {results} = await invoke(unpacked.path, missing, [event], {env})
    assert.match(JSON.stringify(results), /PYPICLOUD_SETTINGS: the secret arn:[^ ]+ can't be read \(Res/)
  })

  it('works with the settings that pypicloud gave its functions, which name no bucket', async () => {
    const given = await settings()
    await using index = await installationOf(given)
    const event = s3Event(
      s3Record(given['storage.bucket'] ?? '', index.storage.keyOf(await index.put('one', '1.0'))),
    )
    const onlyCache = Object.fromEntries(Object.entries(given).filter(([name]) => name.includes('db')))
    const env = {
      AWS_ACCESS_KEY_ID: given['storage.aws_access_key_id'] ?? '',
      AWS_SECRET_ACCESS_KEY: given['storage.aws_secret_access_key'] ?? '',
      AWS_REGION: 'us-east-1',
      AWS_ENDPOINT_URL_S3: given['storage.endpoint_url'] ?? '',
    }
    const {results} = await invoke(unpacked.path, onlyCache, [event, event], {env})
    assert.deepEqual(results, [{added: 1}, {unchanged: 1}])
    const sqlite = await invoke(unpacked.path, {'pypi.db': 'sql', 'db.url': 'sqlite:////tmp/x.db'}, [event], {
      env,
    })
    assert.match(JSON.stringify(sqlite.results), /db\.url: a SQLite database is a file of one machine/)
    const other = await invoke(unpacked.path, {'pypi.db': 'redis', 'db.url': 'redis://127.0.0.1'}, [event], {
      env,
    })
    assert.match(
      JSON.stringify(other.results),
      /this bundle feeds dynamo, and PYPICLOUD_SETTINGS names redis/,
    )
  })
})
