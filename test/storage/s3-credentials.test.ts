import assert from 'node:assert/strict'
import {writeFile} from 'node:fs/promises'
import {after, before, describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {openS3Store} from '../../src/lib/storage/s3/s3.js'
import {StorageFailed} from '../../src/lib/errors.js'
import {bodyOf} from '../contracts/object-store.js'
import {s3Error, startFaultProxy, type FaultProxy} from '../services/fault-proxy.js'
import {startService, type Service} from '../services/index.js'
import {startInstanceRole} from '../services/instance-role.js'
import {withEnvironment} from '../support/environment.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {s3Config} from './s3-services.js'

/** Settings without keys: somebody else has to know them. */
const keyless = {'storage.aws_access_key_id': '', 'storage.aws_secret_access_key': ''}

describe('credentials for S3', needs('moto'), () => {
  let moto: Service
  let proxy: FaultProxy
  let directory: Awaited<ReturnType<typeof tempDir>>
  before(async () => {
    moto = await startService('moto')
    proxy = await startFaultProxy(moto.url)
    directory = await tempDir()
  })
  after(async () => {
    await proxy[Symbol.asyncDispose]()
    await moto[Symbol.asyncDispose]()
    await directory[Symbol.asyncDispose]()
  })

  /** An environment in which only `variables` lead to credentials. */
  const only = <T>(variables: Record<string, string>, work: () => Promise<T>) => {
    proxy.requests.length = 0
    return withEnvironment(
      {
        AWS_ACCESS_KEY_ID: undefined,
        AWS_SECRET_ACCESS_KEY: undefined,
        AWS_SESSION_TOKEN: undefined,
        AWS_PROFILE: undefined,
        AWS_CONFIG_FILE: directory.join('none'),
        AWS_SHARED_CREDENTIALS_FILE: directory.join('none'),
        AWS_EC2_METADATA_DISABLED: 'true',
        ...variables,
      },
      work,
    )
  }
  const open = async (settings: Record<string, string> = keyless) =>
    openS3Store(await s3Config(proxy.url, settings))
  const openOnce = async (settings?: Record<string, string>) => (await open(settings))[Symbol.asyncDispose]()
  /** The access keys with which requests have come since the last time. */
  const usedKeys = () => {
    const found = proxy.requests.map(
      ({headers}) => /Credential=(\w+)/.exec(String(headers['authorization']))?.[1],
    )
    proxy.requests.length = 0
    return [...new Set(found)]
  }
  const fileWith = async (name: string, content: string) => {
    await writeFile(directory.join(name), content)
    return directory.join(name)
  }

  it('come from the environment where the config has none', async () => {
    await only(
      {AWS_ACCESS_KEY_ID: 'ENVKEY', AWS_SECRET_ACCESS_KEY: 'x', AWS_SESSION_TOKEN: 'of ENVKEY'},
      async () => {
        await openOnce()
        assert.equal(proxy.requests[0]?.headers['x-amz-security-token'], 'of ENVKEY')
        assert.deepEqual(usedKeys(), ['ENVKEY'])
        await openOnce({})
        assert.deepEqual(usedKeys(), ['AKIDEXAMPLE'])
      },
    )
  })

  it('come from a profile, and so does the region', async () => {
    const credentials = await fileWith(
      'credentials',
      '[default]\naws_access_key_id = DEFAULTKEY\naws_secret_access_key = x\n\n[packages]\naws_access_key_id = PROFILEKEY\naws_secret_access_key = y\n',
    )
    const config = await fileWith('config', '[profile packages]\nregion = eu-south-2\n')
    const files = {AWS_SHARED_CREDENTIALS_FILE: credentials, AWS_CONFIG_FILE: config}
    await only(files, async () => {
      await openOnce()
      assert.deepEqual(usedKeys(), ['DEFAULTKEY'])
    })
    await only({...files, AWS_PROFILE: 'packages'}, async () => {
      await openOnce({...keyless, 'storage.region_name': '', 'storage.bucket': 'of-the-profile'})
      assert.match(String(proxy.requests[0]?.headers['authorization']), /\/eu-south-2\/s3\//)
      assert.deepEqual(usedKeys(), ['PROFILEKEY'])
    })
  })

  it('are those of a role taken on by a web identity', async () => {
    const variables = {
      AWS_WEB_IDENTITY_TOKEN_FILE: await fileWith('token', 'header.claims.signature'),
      AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/packages',
      AWS_ENDPOINT_URL_STS: moto.url,
    }
    await only(variables, async () => {
      await using store = await open()
      assert.match(usedKeys().join(), /^ASIA\w+$/) // made by STS
      await store.put('by-role-1.0.zip', bodyOf('x'), {replace: true})
      const url = await store.links?.urlOf('by-role-1.0.zip', 60)
      assert.equal((await fetch(url!)).status, 200)
      assert.ok(url?.searchParams.has('X-Amz-Security-Token'))
    })
  })

  it('are those of the instance or of the container, and are renewed before they end', async () => {
    await using role = await startInstanceRole()
    const instance = {AWS_EC2_METADATA_DISABLED: 'false', AWS_EC2_METADATA_SERVICE_ENDPOINT: role.url}
    const container = {AWS_CONTAINER_CREDENTIALS_FULL_URI: `${role.url}/task`}
    for (const variables of [instance, container]) {
      await only(variables, async () => {
        role.keys = {accessKeyId: 'ROLEKEY1', secondsLeft: 60}
        await using store = await open()
        assert.deepEqual(usedKeys(), ['ROLEKEY1'])
        role.keys = {accessKeyId: 'ROLEKEY2', secondsLeft: 3600}
        let latest: string | undefined
        for (let attempt = 0; attempt < 200 && latest !== 'ROLEKEY2'; attempt += 1) {
          await sleep(10) // new keys are fetched while the old ones still do
          await store.check()
          latest = usedKeys().at(-1)
        }
        assert.equal(latest, 'ROLEKEY2')
      })
    }
  })

  const rejects = (work: () => Promise<unknown>, reason: RegExp) =>
    assert.rejects(work, (error: unknown) => {
      assert.ok(error instanceof StorageFailed, String(error))
      assert.match(error.message, reason)
      assert.doesNotMatch(error.message, /\n|EXAMPLEKEY/)
      return true
    })

  it('that nobody has are asked for by their settings', () =>
    only({}, () => rejects(() => open(), /no credentials: set storage\.aws_access_key_id/)))

  it('of a profile that is not there are missed by its name', () =>
    only({AWS_PROFILE: 'nobody'}, () =>
      rejects(() => open(), /no credentials.* profile nobody .*AWS_PROFILE/),
    ))

  it('of a web identity whose token is missing or refused are missed by name', async () => {
    const role = {AWS_ROLE_ARN: 'arn:aws:iam::123456789012:role/packages', AWS_ENDPOINT_URL_STS: proxy.url}
    const missing = {...role, AWS_WEB_IDENTITY_TOKEN_FILE: directory.join('no-token')}
    await only(missing, () => rejects(() => open(), /credentials.*no-token/))
    const refused = {...role, AWS_WEB_IDENTITY_TOKEN_FILE: await fileWith('bad-token', 'x')}
    const body =
      '<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code><Message>No such provider</Message></Error></ErrorResponse>'
    proxy.faults = [
      {method: 'POST', fault: {kind: 'answer', status: 400, headers: {'Content-Type': 'text/xml'}, body}},
    ]
    await only(refused, () => rejects(() => open(), /InvalidIdentityToken\w*: No such provider/))
    proxy.faults = []
  })

  it('that have expired name where they are from', async () => {
    proxy.faults = [{fault: s3Error(400, 'ExpiredToken', 'The provided token has expired.')}]
    const token = {'storage.aws_session_token': 'old'}
    await rejects(
      () => open(token),
      /credentials of \S+server\.ini:\d+: storage\.aws_session_token have expired/,
    )
    await only({AWS_ACCESS_KEY_ID: 'ENVKEY', AWS_SECRET_ACCESS_KEY: 'x', AWS_SESSION_TOKEN: 'old'}, () =>
      rejects(() => open(), /credentials of the AWS environment.*have expired/),
    )
    proxy.faults = []
  })

  it('without a right name the key and the bucket, whatever they wanted to do', async () => {
    await using store = await open({})
    await store.put('mine-1.0.zip', bodyOf('x'), {replace: true})
    const list = () => store.list('')[Symbol.asyncIterator]().next()
    const denied = s3Error(403, 'AccessDenied', 'Access Denied')
    const reason = /do not have the right|storage\.aws_access_key_id.*storage\.bucket/
    for (const [method, work] of [
      ['GET', list],
      ['PUT', () => store.put('mine-1.0.zip', bodyOf('y'), {replace: true})],
      ['PUT', () => store.put('large-1.0.zip', bodyOf(Buffer.alloc(9 << 20)), {replace: true})],
      ['POST', () => store.put('large-1.0.zip', bodyOf(Buffer.alloc(9 << 20)), {replace: true})],
      ['GET', () => store.open('mine-1.0.zip')],
      ['DELETE', () => store.delete('mine-1.0.zip')],
    ] as const) {
      proxy.faults = [{method, fault: denied}]
      await rejects(work, reason)
    }
    proxy.faults = [
      {method: 'HEAD', fault: {kind: 'answer', status: 403}},
      {method: 'GET', fault: denied},
    ]
    await rejects(() => store.stat('mine-1.0.zip'), reason)
    await rejects(() => open({}), reason)
    proxy.faults = []
  })
})
