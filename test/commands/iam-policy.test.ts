import assert from 'node:assert/strict'
import {writeFile} from 'node:fs/promises'
import {describe, it} from 'node:test'
import {tempDir} from '../support/temp.js'
import {tool} from './tool.js'

interface Policy {
  readonly Statement: readonly {
    readonly Sid: string
    readonly Action: string[]
    readonly Resource: string[]
  }[]
}

const inAws = `[app:main]
use = egg:pypicloud
pypi.storage = s3
storage.bucket = packages
storage.prefix = pypi/
storage.region_name = eu-west-1
storage.server_side_encryption = aws:kms
storage.sse_kms_key_id = 1234abcd-12ab-34cd-56ef-1234567890ab
pypi.db = dynamo
db.region_name = eu-central-1
db.namespace = eu-
pypi.auth = aws_secrets_manager
auth.secret_id = rules
auth.region_name = eu-west-1
`

describe('ppc iam-policy', () => {
  it('gives each its own least rights, and never more than on what the config names', async () => {
    await using dir = await tempDir()
    await writeFile(dir.join('server.ini'), inAws)
    const rightsFor = async (who: string) => {
      const {code, stdout, stderr} = await tool(dir.path, `ppc iam-policy server.ini --for ${who}`)
      assert.equal(code, 0, stderr)
      const {Statement} = JSON.parse(stdout) as Policy
      assert.ok(
        Statement.every(({Resource}) =>
          Resource.every(arn => arn.startsWith('arn:aws:') && !arn.endsWith(':*')),
        ),
      )
      return new Map(Statement.map(statement => [statement.Sid, statement]))
    }
    const [server, rebuild, lambda] = [
      await rightsFor('server'),
      await rightsFor('rebuild'),
      await rightsFor('lambda'),
    ]
    assert.deepEqual(
      [...server.keys()],
      ['Bucket', 'ReadPackages', 'WritePackages', 'Key', 'Tables', 'Rules'],
    )
    assert.deepEqual([...rebuild.keys()], ['Bucket', 'ReadPackages', 'WriteNotes', 'Key', 'Tables'])
    assert.deepEqual([...lambda.keys()], [...rebuild.keys()])
    assert.deepEqual(server.get('WritePackages')?.Resource, ['arn:aws:s3:::packages/pypi/*'])
    assert.deepEqual(lambda.get('WriteNotes')?.Resource, ['arn:aws:s3:::packages/pypi/*ppc-toolkit.*'])
    assert.ok(server.get('Tables')?.Action.includes('dynamodb:CreateTable'))
    assert.ok(!lambda.get('Tables')?.Action.includes('dynamodb:CreateTable'))
    assert.deepEqual(lambda.get('Tables')?.Resource, [
      'arn:aws:dynamodb:eu-central-1:*:table/eu-DynamoPackage',
      'arn:aws:dynamodb:eu-central-1:*:table/eu-PackageSummary',
      'arn:aws:dynamodb:eu-central-1:*:table/eu-DynamoPackagePpcToolkit',
      'arn:aws:dynamodb:eu-central-1:*:table/eu-DynamoPackage/index/*',
    ])
    assert.deepEqual(server.get('Rules')?.Resource, ['arn:aws:secretsmanager:eu-west-1:*:secret:rules-*'])
  })
  it('says so when nothing of a config is in AWS', async () => {
    await using dir = await tempDir()
    await writeFile(
      dir.join('server.ini'),
      '[app:main]\nuse = egg:pypicloud\nstorage.dir = %(here)s/packages\ndb.url = sqlite:///%(here)s/db.sqlite\n',
    )
    const {code, stdout, stderr} = await tool(dir.path, 'ppc iam-policy server.ini')
    assert.equal(code, 2)
    assert.equal(stdout, '')
    assert.match(stderr, /nothing of it is in AWS/)
  })
})
