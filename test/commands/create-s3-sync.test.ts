import assert from 'node:assert/strict'
import {writeFile} from 'node:fs/promises'
import {after, before, describe, it} from 'node:test'
import {
  GetRoleCommand,
  GetRolePolicyCommand,
  IAMClient,
  ListRolesCommand,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam'
import {
  GetFunctionCommand,
  GetFunctionConcurrencyCommand,
  GetFunctionEventInvokeConfigCommand,
  GetPolicyCommand,
  LambdaClient,
  ListFunctionsCommand,
} from '@aws-sdk/client-lambda'
import {
  CreateBucketCommand,
  GetBucketNotificationConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
  S3Client,
} from '@aws-sdk/client-s3'
import {CreateTopicCommand, SNSClient} from '@aws-sdk/client-sns'
import {CreateQueueCommand, ListQueuesCommand, SendMessageCommand, SQSClient} from '@aws-sdk/client-sqs'
import {startFaultProxy, type FaultProxy} from '../services/fault-proxy.js'
import {startService, type Service} from '../services/index.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {tool} from './tool.js'

const credentials = {accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'secret'}
const region = 'eu-west-1'

describe('ppc-create-s3-sync', needs('moto'), () => {
  let moto: Service, proxy: FaultProxy
  before(async () => {
    process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'] ??= 'true'
    moto = await startService('moto')
    proxy = await startFaultProxy(moto.url)
  })
  after(async () => {
    await proxy[Symbol.asyncDispose]()
    await moto[Symbol.asyncDispose]()
  })

  /** A bucket, a config that names it, and clients that look at what was made. */
  const installation = async (bucket: string, cache: Record<string, string> = {}) => {
    const dir = await tempDir()
    const clientOptions = {region, endpoint: moto.url, credentials}
    const s3 = new S3Client({...clientOptions, forcePathStyle: true})
    const [iam, lambda, sqs, sns] = [
      new IAMClient(clientOptions),
      new LambdaClient(clientOptions),
      new SQSClient(clientOptions),
      new SNSClient(clientOptions),
    ]
    await s3.send(
      new CreateBucketCommand({Bucket: bucket, CreateBucketConfiguration: {LocationConstraint: region}}),
    )
    const settings = {
      'pypi.storage': 's3',
      'storage.bucket': bucket,
      'storage.prefix': 'pypi/',
      'storage.region_name': region,
      'pypi.db': 'redis',
      'db.url': 'redis://:hush-hush@cache.example.com:6379/0',
      ...cache,
    }
    const lines = Object.entries(settings).map(([key, value]) => `${key} = ${value}`)
    await writeFile(dir.join('server.ini'), `[app:main]\nuse = egg:pypicloud\n${lines.join('\n')}\n`)
    const env = {
      AWS_ENDPOINT_URL: proxy.url,
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
      AWS_EC2_METADATA_DISABLED: 'true',
    }
    return {
      iam,
      lambda,
      s3,
      sqs,
      sns,
      run: (line: string) => tool(dir.path, `ppc-create-s3-sync server.ini ${line}`.trim(), {env}),
      notifications: () => s3.send(new GetBucketNotificationConfigurationCommand({Bucket: bucket})),
      [Symbol.asyncDispose]: async () => {
        for (const client of [s3, iam, lambda, sqs, sns]) client.destroy()
        await dir[Symbol.asyncDispose]()
      },
    }
  }
  /** What was asked of AWS that changes something. */
  const changes = () =>
    proxy.requests.filter(({method, headers, path}) => {
      const target = String(headers['x-amz-target'] ?? '')
      return method !== 'GET' && method !== 'HEAD' && !/GetQueue/.test(target) && path !== '/'
    })

  it('sets everything up from nothing, with no more rights than needed', async () => {
    await using index = await installation('from-nothing')
    const {code, stdout, stderr} = await index.run('-n fresh')
    assert.equal(code, 0, stderr)
    assert.equal(stdout, '')
    assert.match(stderr, /Events of from-nothing come to arn:aws:lambda:eu-west-1:\d+:function:fresh\.\n$/)

    const {Configuration: made} = await index.lambda.send(new GetFunctionCommand({FunctionName: 'fresh'}))
    assert.equal(made?.Runtime, 'nodejs24.x')
    assert.equal(made.Handler, 'lambda_script.handle_s3_event')
    const onFailure = await index.lambda.send(
      new GetFunctionEventInvokeConfigCommand({FunctionName: 'fresh'}),
    )
    const queue = onFailure.DestinationConfig?.OnFailure?.Destination ?? ''
    assert.match(queue, /^arn:aws:sqs:eu-west-1:\d+:fresh_failed$/)
    assert.match(made.Role ?? '', /:role\/pypicloud\/pypicloud_lambda_redis$/)
    assert.deepEqual(JSON.parse(made.Environment?.Variables?.['PYPICLOUD_SETTINGS'] ?? ''), {
      'storage.bucket': 'from-nothing',
      'storage.prefix': 'pypi/',
      'storage.region_name': region,
      'pypi.db': 'redis',
      'db.url': 'redis://:hush-hush@cache.example.com:6379/0',
    })
    const limit = await index.lambda.send(new GetFunctionConcurrencyCommand({FunctionName: 'fresh'}))
    assert.equal(limit.ReservedConcurrentExecutions, 5)
    const {Policy: calls = ''} = await index.lambda.send(new GetPolicyCommand({FunctionName: 'fresh'}))
    assert.match(calls, /"s3\.amazonaws\.com"/)
    assert.match(calls, /arn:aws:s3:::from-nothing"/)
    assert.match(calls, /"AWS:SourceAccount": ?"\d+"/)

    const {PolicyDocument = ''} = await index.iam.send(
      new GetRolePolicyCommand({RoleName: 'pypicloud_lambda_redis', PolicyName: 'fresh_eu-west-1'}),
    )
    const {Statement} = JSON.parse(decodeURIComponent(PolicyDocument)) as {
      Statement: {Action: string[]; Resource: string[]}[]
    }
    assert.deepEqual(Statement.flatMap(({Action}) => Action).sort(), [
      ...['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'],
      ...['s3:DeleteObject', 's3:GetObject', 's3:ListBucket', 's3:PutObject', 'sqs:SendMessage'],
    ])
    assert.ok(Statement.every(({Resource}) => !Resource.includes('*')))

    const {LambdaFunctionConfigurations: told} = await index.notifications()
    assert.deepEqual(
      told?.map(({LambdaFunctionArn, Events, Filter}) => ({LambdaFunctionArn, Events, Filter})),
      [
        {
          LambdaFunctionArn: made.FunctionArn,
          Events: ['s3:ObjectCreated:*', 's3:ObjectRemoved:*'],
          Filter: {Key: {FilterRules: [{Name: 'prefix', Value: 'pypi/'}]}},
        },
      ],
    )
  })

  it('changes nothing the second time, and what has changed with --update or -f', async () => {
    await using index = await installation('twice')
    assert.equal((await index.run('-n again')).code, 0)
    for (const option of ['', '--update']) {
      proxy.requests.length = 0
      const {code, stderr} = await index.run(`-n again ${option}`.trim())
      assert.equal(code, 0, stderr)
      assert.match(stderr, /, as before\.\n$/)
      assert.deepEqual(
        changes().map(({path}) => path),
        [],
      )
    }
    const updated = await index.run('-n again --update --runtime nodejs22.x --concurrency 2')
    assert.equal(updated.code, 0, updated.stderr)
    const configuration = async () =>
      (await index.lambda.send(new GetFunctionCommand({FunctionName: 'again'}))).Configuration
    assert.equal((await configuration())?.Runtime, 'nodejs22.x')
    assert.match(updated.stderr, /Updating the function again\n/)
    const replaced = await index.run('-n again -f')
    assert.equal(replaced.code, 0, replaced.stderr)
    assert.match(replaced.stderr, /Removing the function again\nMaking the function again\n/)
    assert.equal((await configuration())?.Runtime, 'nodejs24.x')
    assert.equal((await index.notifications()).LambdaFunctionConfigurations?.length, 1)
  })

  it("leaves others' notifications as they are, also when it removes its own", async () => {
    await using index = await installation('shared')
    const topic = (await index.sns.send(new CreateTopicCommand({Name: 'images'}))).TopicArn ?? ''
    const url = (await index.sqs.send(new CreateQueueCommand({QueueName: 'audit'}))).QueueUrl ?? ''
    assert.equal((await index.run('-n theirs -a arn:aws:iam::123456789012:role/missing --dry-run')).code, 0)
    await index.s3.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket: 'shared',
        NotificationConfiguration: {
          TopicConfigurations: [
            {
              Id: 'images',
              TopicArn: topic,
              Events: ['s3:ObjectCreated:*'],
              Filter: {Key: {FilterRules: [{Name: 'prefix', Value: 'images/'}]}},
            },
          ],
          QueueConfigurations: [
            {
              Id: 'audit',
              QueueArn: 'arn:aws:sqs:eu-west-1:123456789012:audit',
              Events: ['s3:ObjectRemoved:*'],
            },
          ],
        },
      }),
    )
    assert.ok(url)
    const others = async () => {
      const {TopicConfigurations, QueueConfigurations} = await index.notifications()
      return {TopicConfigurations, QueueConfigurations}
    }
    const before = await others()
    assert.equal(before.TopicConfigurations?.length, 1)
    const made = await index.run('-n beside')
    assert.equal(made.code, 0, made.stderr)
    assert.equal((await index.notifications()).LambdaFunctionConfigurations?.length, 1)
    assert.deepEqual(await others(), before)

    const removed = await index.run('-n beside --remove')
    assert.equal(removed.code, 0, removed.stderr)
    assert.equal((await index.notifications()).LambdaFunctionConfigurations, undefined)
    assert.deepEqual(await others(), before)
    const again = await index.run('-n beside --remove')
    assert.equal(again.code, 0)
    assert.match(again.stderr, /There is nothing to remove\.\n$/)
  })

  it('removes what it has made, and keeps what others need', async () => {
    await using index = await installation('to-remove', {'pypi.db': 'sql', 'db.url': 'postgresql://u:p@db/x'})
    assert.equal((await index.run('-n one')).code, 0)
    assert.equal((await index.run('-n two')).code, 0)
    const url = (await index.sqs.send(new ListQueuesCommand({QueueNamePrefix: 'one_failed'}))).QueueUrls?.[0]
    await index.sqs.send(new SendMessageCommand({QueueUrl: url, MessageBody: 'an event that failed'}))
    const first = await index.run('-n one --remove')
    assert.equal(first.code, 0, first.stderr)
    assert.match(first.stderr, /The queue one_failed stays, because 1 events? that failed/)
    assert.match(first.stderr, /The role pypicloud_lambda_sql stays, because it has other rights/)
    const second = await index.run('-n two --remove')
    assert.match(second.stderr, /Removing the role pypicloud_lambda_sql\n/)
    const {Functions = []} = await index.lambda.send(new ListFunctionsCommand({}))
    assert.ok(!Functions.some(({FunctionName}) => FunctionName === 'one' || FunctionName === 'two'))
    await assert.rejects(index.iam.send(new GetRoleCommand({RoleName: 'pypicloud_lambda_sql'})))
  })

  it('keeps to pypicloud’s role and adds the rights of the function to it', async () => {
    await using index = await installation('taken-over')
    assert.equal((await index.run('-n first')).code, 0)
    const role = 'pypicloud_lambda_redis'
    const old = {RoleName: role, PolicyName: 'inline_policy'}
    const PolicyDocument = JSON.stringify({
      Version: '2012-10-17',
      Statement: [{Effect: 'Allow', Action: 'logs:*', Resource: 'arn:aws:logs:*'}],
    })
    await index.iam.send(new PutRolePolicyCommand({...old, PolicyDocument}))
    assert.equal((await index.run('')).code, 0)
    assert.ok(await index.iam.send(new GetRolePolicyCommand(old)))
    assert.ok(
      await index.iam.send(
        new GetRolePolicyCommand({RoleName: role, PolicyName: 'pypicloud_s3_sync_eu-west-1'}),
      ),
    )
    // two entries for its function, as pypicloud writes them
    const arn = (await index.notifications()).LambdaFunctionConfigurations?.find(({LambdaFunctionArn}) =>
      LambdaFunctionArn?.endsWith(':pypicloud_s3_sync'),
    )?.LambdaFunctionArn
    await index.s3.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket: 'taken-over',
        NotificationConfiguration: {
          LambdaFunctionConfigurations: [
            {Id: 'one', LambdaFunctionArn: arn, Events: ['s3:ObjectCreated:*']},
            {Id: 'two', LambdaFunctionArn: arn, Events: ['s3:ObjectRemoved:*']},
          ],
        },
      }),
    )
    assert.equal((await index.run('--update')).code, 0)
    const told = (await index.notifications()).LambdaFunctionConfigurations
    assert.deepEqual(
      told?.map(({LambdaFunctionArn, Events}) => [LambdaFunctionArn, Events?.length]),
      [[arn, 2]],
    )
    const {Roles = []} = await index.iam.send(new ListRolesCommand({PathPrefix: '/pypicloud/'}))
    assert.equal(Roles.filter(({RoleName}) => RoleName === role).length, 1)
  })

  it('prints every call of a dry run, without the password, and makes none', async () => {
    await using index = await installation('dry', {
      'pypi.db': 'sql',
      'db.url': 'mysql://pypi:hush-hush@db.example.com/pypi',
    })
    proxy.requests.length = 0
    const {code, stdout, stderr} = await index.run('-n never --dry-run')
    assert.equal(code, 0, stderr)
    assert.deepEqual(
      stdout
        .trim()
        .split('\n')
        .map(line => line.split(' ')[0]),
      [
        ...['sqs:CreateQueue', 'iam:CreateRole', 'iam:PutRolePolicy', 'lambda:CreateFunction'],
        ...['lambda:PutFunctionEventInvokeConfig', 'lambda:PutFunctionConcurrency'],
        ...['lambda:AddPermission', 's3:PutBucketNotification'],
      ],
    )
    assert.ok(!stdout.includes('hush-hush') && !stderr.includes('hush-hush'))
    assert.match(stdout, /"ZipFile":"\(\d+ bytes\)"/)
    assert.deepEqual(changes(), [])
    assert.match(stderr, /Nothing was changed\.\n$/)
  })

  it('waits until a new role is known, and names the right that is missing', async () => {
    await using index = await installation('slow')
    const refusal = (name: string, status: number, message: string) =>
      ({
        kind: 'answer',
        status,
        headers: {'content-type': 'application/json', 'x-amzn-errortype': name},
        body: JSON.stringify({Type: 'User', message, Message: message}),
      }) as const
    const create = {method: 'POST', path: /\/functions\/?$/}
    const unknown = 'The role defined for the function cannot be assumed by Lambda.'
    proxy.faults = [{...create, first: 2, fault: refusal('InvalidParameterValueException', 400, unknown)}]
    const waited = await index.run('-n slow')
    assert.equal(waited.code, 0, waited.stderr)
    proxy.faults = [{...create, fault: refusal('AccessDeniedException', 403, 'User is not authorized')}]
    const denied = await index.run('-n denied')
    assert.equal(denied.code, 1)
    assert.match(
      denied.stderr,
      /lack the right lambda:CreateFunction on function denied \(AccessDeniedException\)\n/,
    )
    proxy.faults = []
    const {code, stderr} = await index.run('-n denied')
    assert.equal(code, 0, stderr)
  })

  it('refuses in one sentence what can never work', async () => {
    await using index = await installation('refused')
    const elsewhere = await index.run('-r us-east-2')
    assert.match(
      elsewhere.stderr,
      /the bucket refused is in eu-west-1, and sends events only to functions there/,
    )
    assert.equal(elsewhere.code, 2)
    const badName = await index.run('-n a/b')
    assert.equal(badName.code, 2)
    const both = await index.run('--update --remove')
    assert.equal(both.code, 2)
    await using tables = await installation('no-tables', {
      'pypi.db': 'dynamo',
      'db.region_name': region,
      'db.url': '',
    })
    const {code, stderr} = await tables.run('')
    assert.equal(code, 1)
    assert.match(stderr, /there is no DynamoDB table DynamoPackage: start the server once/)
  })

  it('prints templates of both kinds, without asking anybody', async () => {
    await using index = await installation('templates')
    proxy.requests.length = 0
    const cloudFormation = await index.run('--output cloudformation -n made-by-template')
    assert.equal(cloudFormation.code, 0, cloudFormation.stderr)
    const {Resources} = JSON.parse(cloudFormation.stdout) as {
      Resources: Record<string, {Type: string; Properties: Record<string, unknown>}>
    }
    assert.deepEqual(
      Object.values(Resources).map(({Type}) => Type),
      [
        ...['AWS::SQS::Queue', 'AWS::IAM::Role', 'AWS::Lambda::Function'],
        ...['AWS::Lambda::EventInvokeConfig', 'AWS::Events::Rule', 'AWS::Lambda::Permission'],
      ],
    )
    const terraform = await index.run('--output terraform -a arn:aws:iam::123456789012:role/ours')
    const {resource} = JSON.parse(terraform.stdout) as {
      resource: Record<string, {ppc_sync: Record<string, unknown>}>
    }
    assert.equal(resource['aws_lambda_function']?.ppc_sync['role'], 'arn:aws:iam::123456789012:role/ours')
    assert.equal(resource['aws_iam_role'], undefined)
    assert.deepEqual(proxy.requests, [])
  })
})
