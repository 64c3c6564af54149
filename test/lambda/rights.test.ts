import assert from 'node:assert/strict'
import {CreateAccessKeyCommand, CreateUserCommand, IAMClient, PutUserPolicyCommand} from '@aws-sdk/client-iam'
import {it} from 'node:test'
import {startService} from '../services/index.js'
import {needs} from '../support/needs.js'
import {tool} from '../commands/tool.js'
import {cacheEqualsStorage, installationOf} from '../tasks/rebuild-places.js'
import {s3Event, s3Record} from './events.js'
import {buildFunction, invoke} from './function.js'

it('The least rights on a bucket are enough for the function', needs('moto', 'redis'), async () => {
  await using moto = await startService('moto')
  await using redis = await startService('redis')
  const root = {accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret'}
  const bucket = {'pypi.storage': 's3', 'storage.bucket': 'rights', 'storage.prefix': 'pypi/'}
  const cache = {'pypi.db': 'redis', 'db.url': redis.url}
  const settings = {...bucket, 'storage.region_name': 'us-east-1', ...cache}
  const keys = ({accessKeyId, secretAccessKey}: typeof root) => ({
    'storage.aws_access_key_id': accessKeyId,
    'storage.aws_secret_access_key': secretAccessKey,
  })
  const endpoint = {'storage.endpoint_url': moto.url}
  await using index = await installationOf({...settings, ...endpoint, ...keys(root)})
  await buildFunction(index.dir.path)
  const [one, two] = [await index.put('one', '1.0'), await index.put('two', '1.0')]
  await index.storage.delete(two)
  await index.cache.save([two])

  const policy = await tool(index.dir.path, 'ppc iam-policy server.ini --for lambda')
  assert.equal(policy.code, 0, policy.stderr)
  const iam = new IAMClient({region: 'us-east-1', endpoint: moto.url, credentials: root})
  await iam.send(new CreateUserCommand({UserName: 'function'}))
  const put = (document: string) =>
    iam.send(new PutUserPolicyCommand({UserName: 'function', PolicyName: 'least', PolicyDocument: document}))
  const {AccessKey} = await iam.send(new CreateAccessKeyCommand({UserName: 'function'}))
  const own = {accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? ''}

  /** Whether moto asks who may do what. */
  const enforceRights = (on: boolean) =>
    fetch(`${moto.url}/moto-api/reset-auth`, {method: 'POST', body: on ? '0' : '1000000'})
  const event = (file: typeof one) => s3Event(s3Record('rights', index.storage.keyOf(file)))
  const runWith = async (document: string) => {
    await put(document)
    await enforceRights(true)
    try {
      const all = {...settings, ...endpoint, ...keys(own)}
      return (await invoke(index.dir.path, all, [event(one), event(two)])).results
    } finally {
      await enforceRights(false)
    }
  }
  const {Statement} = JSON.parse(policy.stdout) as {Statement: {Sid: string}[]}
  const without = {Version: '2012-10-17', Statement: Statement.filter(({Sid}) => Sid !== 'Bucket')}
  const refused = await runWith(JSON.stringify(without))
  assert.match(JSON.stringify(refused), /^\[{"thrown":"s3:[^"]+"},{"thrown":"s3:[^"]+"}\]$/)
  assert.equal(await index.cache.countFiles(), 1)

  assert.deepEqual(await runWith(policy.stdout), [{added: 1}, {removed: 1}])
  assert.equal(await cacheEqualsStorage(index), 1)
  iam.destroy()
})
