import assert from 'node:assert/strict'
import {readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {
  CreateSecretCommand,
  DeleteSecretCommand,
  DescribeSecretCommand,
  GetSecretValueCommand,
  ListSecretVersionIdsCommand,
  SecretsManagerClient,
  UpdateSecretCommand,
} from '@aws-sdk/client-secrets-manager'
import type {Access, AclEntry} from '../../src/lib/access/access.js'
import {verifyPassword} from '../../src/lib/access/passwords/index.js'
import {openSecretsManagerAccess} from '../../src/lib/access/secrets-manager/secrets-manager.js'
import {describeAccess, describeAccessWriter} from '../contracts/access.js'
import {describeTokenStore} from '../contracts/token-store.js'
import {startFaultProxy, type FaultProxy} from '../services/fault-proxy.js'
import {startService, type Service} from '../services/index.js'
import {needs} from '../support/needs.js'
import {fixtures} from '../support/paths.js'
import {configWith, tempDir} from '../support/temp.js'
import {waitFor} from '../support/wait.js'

process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] = 'true'
const region = 'us-east-1'
const hash =
  '$6$rounds=1000$PhN21P3zim8aKqPW$0qXBY7wet97fZEix.Y/NkU6PIh.FrYx4vHXt3G7y2W8ynSRjk/5Y1M.6liLDg5W.28qAgjsjrC1Vj0K.QAVv11'
const bob = {username: 'bob', passwordHash: hash, admin: false, pending: false}
async function* stream(entries: readonly AclEntry[]): AsyncGenerator<AclEntry> {
  yield* await Promise.resolve(entries)
}

for (const player of ['moto', 'ministack'] as const)
  describe(`access by AWS Secrets Manager as ${player} plays it`, needs(player), () => {
    let service: Service
    let proxy: FaultProxy
    let aws: SecretsManagerClient
    let directory: Awaited<ReturnType<typeof tempDir>>
    let secrets = 0
    const newSecret = () => `rules/${++secrets}`
    const open = async (secretId: string, more: Record<string, string> = {}): Promise<Access> =>
      openSecretsManagerAccess(
        await configWith(directory.path, {
          'storage.dir': 'x',
          'db.url': 'sqlite://',
          'pypi.auth': 'aws_secrets_manager',
          'auth.secret_id': secretId,
          'auth.region_name': region,
          'auth.aws_access_key_id': 'AKIDEXAMPLE',
          'auth.aws_secret_access_key': 'secret-example',
          'auth.endpoint_url': proxy.url,
          ...more,
        }),
      )
    const valueOf = async (SecretId: string) =>
      (await aws.send(new GetSecretValueCommand({SecretId, VersionStage: 'AWSCURRENT'}))).SecretString ?? ''
    /** As pypicloud saves: all of it, whatever is there. */
    const overwrite = (SecretId: string, SecretString: string) =>
      aws.send(new UpdateSecretCommand({SecretId, SecretString}))
    const create = (Name: string, SecretString?: string) =>
      aws.send(new CreateSecretCommand({Name, ...(SecretString !== undefined && {SecretString})}))
    const actions = () => proxy.requests.map(({headers}) => String(headers['x-amz-target']).split('.')[1])
    const isFor = (action: string) => ({
      when: ({headers}: {headers: Readonly<Record<string, unknown>>}) =>
        String(headers['x-amz-target']).endsWith(`.${action}`),
    })
    const awsError = (status: number, type: string, message = type) => ({
      kind: 'answer' as const,
      status,
      headers: {'Content-Type': 'application/x-amz-json-1.1'},
      body: JSON.stringify({__type: type, message}),
    })

    before(async () => {
      service = await startService(player)
      proxy = await startFaultProxy(service.url)
      aws = new SecretsManagerClient({
        region,
        endpoint: service.url,
        credentials: {accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret-example'},
      })
      directory = await tempDir()
    })
    after(async () => {
      aws.destroy()
      await proxy[Symbol.asyncDispose]()
      await service[Symbol.asyncDispose]()
      await directory[Symbol.asyncDispose]()
    })

    describeAccess('aws_secrets_manager', async entries => {
      const access = await open(newSecret())
      await access.writer?.load(stream(entries))
      return access
    })
    const openStore = () => {
      const secret = newSecret()
      return Promise.resolve(() => open(secret))
    }
    describeAccessWriter('aws_secrets_manager', openStore)
    describeTokenStore('aws_secrets_manager', openStore)

    describe('a secret of pypicloud', () => {
      const read = async () =>
        JSON.parse(await readFile(join(fixtures, 'secrets-manager/secret.json'), 'utf8')) as {
          secret_string: string
        }
      it('lets its users in, with the rights that they had', async () => {
        const secret = newSecret()
        await create(secret, (await read()).secret_string)
        await using access = await open(secret)
        for (const [username, password] of [
          ['ada', 'Ada-pass-1'],
          ['bob', "b0b's secret"],
          ['dave', 'pässwörd-dave'],
        ] as const) {
          const account = await access.findAccount(username)
          assert.equal(await verifyPassword(password, account?.passwordHash ?? ''), true, username)
          assert.equal(account?.admin, username === 'ada')
        }
        assert.equal((await access.findAccount('pat'))?.pending, true)
        assert.equal(await access.allowsRegistration(), true)
        assert.deepEqual([...(await access.getRules('not-normalised-name')).users.keys()], ['frank'])
        assert.equal(await access.writer?.needsAdmin(), false)
      })
      it('keeps its bytes but for what changes, and what nobody here knows', async () => {
        const secret = newSecret()
        const original = (await read()).secret_string
        const strange = original.replace(
          '{"users": {',
          '{"later": {"b": 1.0, "1": [null, 12345678901234567890]}, "users": {"42": "x", "__proto__": "y", ',
        )
        await create(secret, strange)
        await using access = await open(secret)
        await access.writer?.setPasswordHash('bob', 'new')
        const hashOfBob = /"bob": "(\$[^"]+)"/.exec(strange)?.[1] ?? ''
        assert.equal(await valueOf(secret), strange.replace(hashOfBob, 'new'))
        await access.writer?.setPasswordHash('bob', hashOfBob)
        assert.equal(await valueOf(secret), strange)
      })
      it('is not written again when nothing changes', async () => {
        const secret = newSecret()
        await create(secret, JSON.stringify(JSON.parse((await read()).secret_string), null, 2))
        await using access = await open(secret)
        const text = await valueOf(secret)
        await access.writer?.approve('ghost')
        await access.writer?.setAdmin('ada', true)
        await access.writer?.setRegistration(true)
        assert.equal(await valueOf(secret), text)
      })
    })

    describe('a secret that is not there', () => {
      it('is made by the first change, as pypicloud would write it, with its key', async () => {
        const secret = newSecret()
        await using access = await open(secret, {'auth.kms_key_id': 'alias/rules'})
        assert.deepEqual(await access.listUsers(), [])
        await access.writer?.approve('ghost')
        await assert.rejects(valueOf(secret), {name: 'ResourceNotFoundException'})
        await access.writer?.addAccount({...bob, passwordHash: 'ü'})
        assert.equal(
          await valueOf(secret),
          '{"users": {"bob": "\\u00fc"}, "groups": {}, "packages": {}, "pending_users": {}, "admins": []}',
        )
        const made = await aws.send(new DescribeSecretCommand({SecretId: secret}))
        assert.equal(made.KmsKeyId, 'alias/rules')
      })
      it(
        'may have been made without a value',
        {skip: player === 'moto' ? false : 'MiniStack gives it a value that is neither text nor bytes'},
        async () => {
          const secret = newSecret()
          await create(secret)
          await using access = await open(secret)
          await access.writer?.addAccount(bob)
          assert.match(await valueOf(secret), /^\{"users": \{"bob"/)
        },
      )
      it('is made once by two at the same time, and nothing is lost', async () => {
        const secret = newSecret()
        await using one = await open(secret)
        await using other = await open(secret)
        const adding = [one, other].map((access, index) =>
          access.writer!.addAccount({...bob, username: `user-${index}`}),
        )
        await Promise.all(adding)
        assert.deepEqual(
          (await one.listUsers()).map(({username}) => username),
          ['user-0', 'user-1'],
        )
      })
      it('can not be made under an ARN, which is said at once', async () => {
        await assert.rejects(open(`arn:aws:secretsmanager:${region}:123456789012:secret:gone-AbCdEf`), {
          code: 'PPC_DATABASE_FAILED',
          message:
            /server\.ini:\d+: auth\.secret_id: the secret "arn:.*" in AWS region us-east-1 is not there/,
        })
      })
    })

    describe('when others write too', () => {
      it('adds its change to what pypicloud wrote between reading and writing', async () => {
        const secret = newSecret()
        await using access = await open(secret)
        await access.writer?.addAccount(bob)
        let release = () => {}
        const until = new Promise<void>(resolve => (release = resolve))
        proxy.faults = [{...isFor('PutSecretValue'), fault: {kind: 'hold', until}, nth: 1}]
        proxy.requests.length = 0
        const adding = access.writer?.addAccount({...bob, username: 'carol'})
        await waitFor('it has read, and writes', () => actions().includes('PutSecretValue'))
        await overwrite(secret, '{"users": {"zoe": "z"}, "note": "by pypicloud"}')
        release()
        await adding
        proxy.faults = []
        const {users, note} = JSON.parse(await valueOf(secret)) as {users: object; note: string}
        assert.deepEqual(Object.keys(users), ['zoe', 'carol'])
        assert.equal(note, 'by pypicloud')
      })
      it('shows what pypicloud wrote within a second, and asks no more often', async () => {
        const secret = newSecret()
        await using access = await open(secret)
        await access.writer?.addAccount(bob)
        await access.changeToken()
        proxy.requests.length = 0
        for (let index = 0; index < 100; index++) await access.findAccount('bob')
        assert.ok(proxy.requests.length <= 2)
        const token = await access.changeToken()
        await overwrite(secret, '{"users": {}}')
        await new Promise(resolve => setTimeout(resolve, 1000))
        assert.notEqual(await access.changeToken(), token)
        assert.equal(await access.findAccount('bob'), undefined)
      })
      it('writes many changes at once as few versions, because AWS keeps a hundred', async () => {
        const secret = newSecret()
        await using access = await open(secret)
        await access.writer?.addAccount(bob)
        await Promise.all(
          Array.from({length: 50}, (_, index) => access.writer!.grant(`p${index}`, {user: 'bob'}, 'read')),
        )
        assert.equal((await access.listGrants({user: 'bob'})).length, 50)
        const {Versions} = await aws.send(
          new ListSecretVersionIdsCommand({SecretId: secret, IncludeDeprecated: true}),
        )
        assert.ok((Versions?.length ?? 0) <= 4, `${Versions?.length}`)
      })
    })

    describe('when the service fails', () => {
      it('makes a change once, whose answer was lost', async () => {
        // MiniStack makes a secret of the same token twice, which AWS does not
        const creating = player === 'moto' ? ['CreateSecret'] : []
        for (const action of ['PutSecretValue', 'UpdateSecretVersionStage', ...creating]) {
          const secret = newSecret()
          await using access = await open(secret)
          if (action !== 'CreateSecret') await access.writer?.setRegistration(true)
          proxy.faults = [{...isFor(action), fault: {kind: 'lose-answer'}, first: 1}]
          await access.writer?.addAccount(bob)
          proxy.faults = []
          assert.deepEqual(Object.keys((JSON.parse(await valueOf(secret)) as {users: object}).users), ['bob'])
        }
      })
      it('tries again when it is throttled, cut off or answered by a failure', async () => {
        const secret = newSecret()
        await using access = await open(secret)
        proxy.faults = [
          {fault: awsError(400, 'ThrottlingException', 'Rate exceeded'), nth: 1},
          {fault: {kind: 'reset'}, nth: 2},
          {fault: awsError(500, 'InternalServiceError'), nth: 4},
        ]
        await access.writer?.addAccount(bob)
        proxy.faults = []
        assert.match(await valueOf(secret), /"bob"/)
      })
      it('lets nobody in while AWS can not be reached, and all again afterwards', async () => {
        const secret = newSecret()
        await using access = await open(secret)
        await access.writer?.addAccount(bob)
        proxy.faults = [{fault: awsError(503, 'ServiceUnavailable')}]
        await assert.rejects(
          async () => {
            await new Promise(resolve => setTimeout(resolve, 1000))
            await access.findAccount('bob')
          },
          {
            code: 'PPC_UNAVAILABLE',
            message: /server\.ini:\d+: auth\.secret_id: the secret .* can't be reached now/,
          },
        )
        proxy.faults = []
        assert.equal((await access.findAccount('bob'))?.username, 'bob')
      })
      for (const [title, fault, message] of [
        [
          'credentials without the right',
          awsError(
            400,
            'AccessDeniedException',
            'User: x is not authorized to perform: secretsmanager:GetSecretValue',
          ),
          /server\.ini:\d+: auth\.aws_access_key_id: these credentials lack a right: .*GetSecretValue/,
        ],
        [
          'an expired token',
          awsError(400, 'ExpiredTokenException'),
          /the credentials have expired: renew them/,
        ],
        ['a wrong key', awsError(400, 'UnrecognizedClientException'), /AWS refuses these credentials/],
        [
          'a key of KMS that was disabled',
          awsError(400, 'DecryptionFailure', 'no key'),
          /auth\.kms_key_id: the key of .* can't be used: no key/,
        ],
      ] as const) {
        it(`says in one sentence what is wrong: ${title}`, async () => {
          const secret = newSecret()
          await create(secret, '{}')
          proxy.faults = [{fault}]
          await assert.rejects(open(secret), error => {
            assert.ok(error instanceof Error)
            assert.match(error.message, message)
            assert.doesNotMatch(error.message, /\n|secret-example/)
            return true
          })
          proxy.faults = []
        })
      }
      it('says that a secret was changed too often', async () => {
        const secret = newSecret()
        await using access = await open(secret)
        await access.writer?.addAccount(bob)
        proxy.faults = [
          {...isFor('PutSecretValue'), fault: awsError(400, 'LimitExceededException', 'versions')},
        ]
        await assert.rejects(access.writer!.deleteUser('bob'), {
          code: 'PPC_STORAGE_FAILED',
          message: /was changed too often/,
        })
        proxy.faults = []
      })
    })

    describe('what is no secret of rules', () => {
      for (const [title, text, message] of [
        ['other text', 'hunter2', /does not hold access rules: it is no JSON$/],
        ['a list', '["hunter2"]', /expected a JSON object$/],
        ['users without names', '{"users": ["hunter2"]}', /expected an object at "users"$/],
        ['a password of a number', '{"users": {"bob": 42}}', /expected a password hash at "users"\."bob"$/],
        ['members in a text', '{"groups": {"devs": "bob"}}', /expected a list of names at "groups"\."devs"$/],
        ['endless nesting', `{"a": ${'['.repeat(500)}${']'.repeat(500)}}`, /no JSON$/],
      ] as const) {
        it(`is refused without being shown: ${title}`, async () => {
          const secret = newSecret()
          await create(secret, text)
          await assert.rejects(open(secret), error => {
            assert.ok(error instanceof Error)
            assert.match(error.message, message)
            assert.doesNotMatch(error.message, /hunter2/)
            return true
          })
        })
      }
      it('can be one that is marked for deletion', async () => {
        const secret = newSecret()
        await create(secret, '{}')
        await aws.send(new DeleteSecretCommand({SecretId: secret}))
        await assert.rejects(open(secret), {code: 'PPC_DATABASE_FAILED', message: /can't be used/})
      })
      it('can be one of another region than the config names', async () => {
        await assert.rejects(open('arn:aws:secretsmanager:eu-west-1:123456789012:secret:x-AbCdEf'), {
          code: 'PPC_CONFIG',
          message: /auth\.region_name: found "us-east-1", but auth\.secret_id is in eu-west-1/,
        })
      })
    })

    it('says in one sentence that a secret holds 64 KB, and keeps what was there', async () => {
      const secret = newSecret()
      await using access = await open(secret)
      await access.writer?.addAccount(bob)
      const many = Array.from({length: 700}, (_, index): AclEntry => ({
        kind: 'user',
        username: `user-${index}`,
        admin: false,
        passwordHash: hash,
      }))
      const before = await valueOf(secret)
      const load = (dryRun: boolean) => access.writer!.load(stream(many), {dryRun})
      for (const dryRun of [true, false]) {
        await assert.rejects(load(dryRun), {
          code: 'PPC_STORAGE_FAILED',
          message:
            /the rules would take \d+ bytes, and the secret "rules\/\d+" in AWS region us-east-1 holds 65536$/,
        })
      }
      async function* endless(): AsyncGenerator<AclEntry> {
        for (let index = 0; ; index++) {
          yield await Promise.resolve({kind: 'member' as const, group: 'ghosts', username: `user-${index}`})
        }
      }
      await assert.rejects(access.writer!.load(endless()), {code: 'PPC_STORAGE_FAILED'})
      assert.equal(await valueOf(secret), before)
      await access.writer?.deleteUser('bob')
      assert.deepEqual(await access.listUsers(), [])
    })

    it('takes its credentials from a profile', async () => {
      const secret = newSecret()
      await create(secret, '{}')
      const path = directory.join('credentials')
      await writeFile(
        path,
        '[ops]\naws_access_key_id = AKIDPROFILE\naws_secret_access_key = x\nregion = us-east-1\n',
      )
      const saved = process.env['AWS_SHARED_CREDENTIALS_FILE']
      process.env['AWS_SHARED_CREDENTIALS_FILE'] = path
      try {
        proxy.requests.length = 0
        await using access = await open(secret, {
          'auth.profile_name': 'ops',
          'auth.aws_access_key_id': '',
          'auth.aws_secret_access_key': '',
          'auth.region_name': '',
        })
        await access.check()
        assert.match(String(proxy.requests.at(-1)?.headers['authorization']), /AKIDPROFILE\/\d+\/us-east-1/)
      } finally {
        if (saved === undefined) delete process.env['AWS_SHARED_CREDENTIALS_FILE']
        else process.env['AWS_SHARED_CREDENTIALS_FILE'] = saved
      }
    })
    it('sends a session token', async () => {
      const secret = newSecret()
      proxy.requests.length = 0
      await using access = await open(secret, {'auth.aws_session_token': 'temporary'})
      await access.check()
      assert.equal(proxy.requests.at(-1)?.headers['x-amz-security-token'], 'temporary')
    })
  })
