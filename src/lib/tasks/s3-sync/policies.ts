import type {Config} from '../../config/config.js'
import {dynamoCacheFields} from '../../config/schema/cache.js'
import {secretsManagerAccessFields} from '../../config/schema/access.js'
import {s3StorageFields} from '../../config/schema/storage.js'
import {shortNames} from '../../config/schema/index.js'
import {tablesOf} from '../../cache/dynamo/tables.js'

/** An identity policy of IAM. */
export interface Policy {
  readonly Version: '2012-10-17'
  readonly Statement: readonly Statement[]
}
export interface Statement {
  readonly Sid: string
  readonly Effect: 'Allow'
  readonly Action: readonly string[]
  readonly Resource: readonly string[]
}

/** `ppc-serve`; `ppc-rebuild-cache` and its like; the function. */
export type Role = 'server' | 'rebuild' | 'lambda'

export interface FunctionRights {
  readonly functionName: string
  readonly region: string
  /** ARNs. */
  readonly failedQueue?: string | undefined
  readonly secret?: string | undefined
  readonly inVpc?: boolean
}

/**
 * The least rights that `role` needs for what of `config` is in AWS. The account in ARNs stays open: such a policy gives rights
 * in the account of the role alone.
 */
export function leastRights(config: Config, role: Role, rights?: FunctionRights): Policy {
  return {
    Version: '2012-10-17',
    Statement: [
      ...bucketRights(config, role),
      ...tableRights(config, role),
      ...(role === 'server' ? secretRights(config) : []),
      ...(rights ? functionRights(rights) : []),
    ],
  }
}

/** Listing lets a missing object be told from a forbidden one, which decides whether its row is removed. */
function bucketRights(config: Config, role: Role): Statement[] {
  const {storage} = shortNames(config)
  if (storage !== 's3' && storage !== 'cloudfront') return []
  const {bucket, prefix, objectAcl, sseKmsKeyId, regionName} = config.read(s3StorageFields)
  const partition = partitionOf(regionName)
  const root = `arn:${partition}:s3:::${bucket}`
  const notes = `${root}/${prefix}*ppc-toolkit.*`
  const writes = role === 'server'
  return [
    allow('Bucket', ['s3:ListBucket', ...(writes ? ['s3:ListBucketMultipartUploads'] : [])], [root]),
    allow('ReadPackages', ['s3:GetObject'], [`${root}/${prefix}*`]),
    writes
      ? allow(
          'WritePackages',
          [
            's3:AbortMultipartUpload',
            's3:DeleteObject',
            's3:PutObject',
            ...(objectAcl ? ['s3:PutObjectAcl'] : []),
          ],
          [`${root}/${prefix}*`],
        )
      : allow('WriteNotes', ['s3:DeleteObject', 's3:PutObject'], [notes]),
    ...(sseKmsKeyId === undefined ? [] : [keyRight('Key', sseKmsKeyId, regionName)]),
  ]
}

function tableRights(config: Config, role: Role): Statement[] {
  if (shortNames(config).db !== 'dynamo') return []
  const settings = config.read(dynamoCacheFields)
  const {files, projects, ours} = tablesOf(settings)
  const region = settings.regionName ?? '*'
  const arns = [files, projects, ours].map(
    name => `arn:${partitionOf(region)}:dynamodb:${region}:*:table/${name}`,
  )
  const actions = [
    ...[
      'BatchGetItem',
      'ConditionCheckItem',
      'DeleteItem',
      'DescribeTable',
      'GetItem',
      'PutItem',
      'Query',
      'Scan',
    ],
    ...['UpdateItem', ...(role === 'lambda' ? [] : ['CreateTable'])],
  ]
  const names = actions.map(action => `dynamodb:${action}`).sort()
  return [allow('Tables', names, [...arns, `${arns[0] ?? ''}/index/*`])]
}

/** Of `pypi.auth = aws_secrets_manager`. */
function secretRights(config: Config): Statement[] {
  if (shortNames(config).auth !== 'aws_secrets_manager') return []
  const {secretId, regionName, kmsKeyId} = config.read(secretsManagerAccessFields)
  const region = regionName ?? '*'
  const arn = secretId.startsWith('arn:')
    ? secretId
    : `arn:${partitionOf(region)}:secretsmanager:${region}:*:secret:${secretId}-*`
  const actions = [
    'CreateSecret',
    'GetSecretValue',
    'PutSecretValue',
    'UpdateSecret',
    'UpdateSecretVersionStage',
  ]
  return [
    allow(
      'Rules',
      actions.map(action => `secretsmanager:${action}`),
      [arn],
    ),
    ...(kmsKeyId === undefined ? [] : [keyRight('RulesKey', kmsKeyId, region)]),
  ]
}

function functionRights({functionName, region, failedQueue, secret, inVpc}: FunctionRights): Statement[] {
  const group = `arn:${partitionOf(region)}:logs:${region}:*:log-group:/aws/lambda/${functionName}`
  return [
    allow('Log', ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:PutLogEvents'], [group, `${group}:*`]),
    ...(failedQueue === undefined ? [] : [allow('FailedEvents', ['sqs:SendMessage'], [failedQueue])]),
    ...(secret === undefined ? [] : [allow('Settings', ['secretsmanager:GetSecretValue'], [secret])]),
    ...(inVpc
      ? [
          allow(
            'Network', // has no resources that could be named
            ['CreateNetworkInterface', 'DeleteNetworkInterface', 'DescribeNetworkInterfaces'].map(
              name => `ec2:${name}`,
            ),
            ['*'],
          ),
        ]
      : []),
  ]
}

/** @param key id, ARN or alias, which IAM can't name. */
function keyRight(sid: string, key: string, region = '*'): Statement {
  const id = /^[\w-]+$/.test(key) ? key : '*'
  const arn = key.includes(':key/') ? key : `arn:${partitionOf(region)}:kms:${region}:*:key/${id}`
  return allow(sid, ['kms:Decrypt', 'kms:GenerateDataKey'], [arn])
}

/** Of the regions of China and of the US government, which have names of their own. */
export const partitionOf = (region = ''): string =>
  region.startsWith('cn-') ? 'aws-cn' : region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws'

const allow = (Sid: string, Action: readonly string[], Resource: readonly string[]): Statement => ({
  Sid,
  Effect: 'Allow',
  Action: [...Action].sort(),
  Resource,
})
