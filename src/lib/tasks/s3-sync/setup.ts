import {HeadBucketCommand} from '@aws-sdk/client-s3'
import {DynamoClient, originOf} from '../../cache/dynamo/client.js'
import {describe, tablesOf} from '../../cache/dynamo/tables.js'
import {dynamoCacheFields} from '../../config/schema/cache.js'
import {NotFound, UsageError} from '../../errors.js'
import type {Bundle} from '../lambda-bundle/bundle.js'
import type {Aws} from './aws.js'
import {ensureFunction, findFunction, limitConcurrency, removeFunction, type IfThere} from './function.js'
import {ensureNotification, removeNotification} from './notification.js'
import {ensureOnFailure} from './on-failure.js'
import {ensurePermission} from './permission.js'
import type {SyncPlan} from './plan.js'
import {ensureQueue, removeQueue} from './queue.js'
import {ensurePolicy, ensureRole, removeRole} from './role.js'

export interface SetUpReport {
  readonly dryRun: boolean
  /** ARN. */
  readonly function: string
  readonly role: string
  /** Of events that failed again and again. */
  readonly queue: string
  readonly bucket: string
  readonly region: string
  /** Calls that changed something, or in a dry run would have. */
  readonly changes: number
}

/**
 * Sets the function up: what is there already stays, what is missing is made, so that a run that broke off is continued by the
 * next one.
 * @throws {AwsFailed} naming the missing right. @throws {UsageError} {NotFound} {Unavailable}
 */
export async function setUp(
  aws: Aws,
  plan: SyncPlan,
  {zip}: Pick<Bundle, 'zip'>,
  ifThere: IfThere,
  tell: (line: string) => void,
): Promise<Omit<SetUpReport, 'dryRun' | 'changes'>> {
  await checkBucket(aws, plan)
  await checkTables(plan)
  const queueArn = await ensureQueue(aws, plan, tell)
  const roleArn = await ensureRole(aws, plan, tell)
  await ensurePolicy(aws, plan, queueArn, tell)
  const {arn} = await ensureFunction(aws, plan, {zip, roleArn}, ifThere, tell)
  await ensureOnFailure(aws, plan, queueArn, tell)
  await limitConcurrency(aws, plan, tell)
  await ensurePermission(aws, plan, accountOf(arn), tell)
  await ensureNotification(aws, plan, arn, tell)
  return {function: arn, role: roleArn, queue: queueArn, bucket: plan.bucket, region: plan.region}
}

/** Takes away what `setUp` has made, and nothing else. What is gone already is no failure. */
export async function tearDown(aws: Aws, plan: SyncPlan, tell: (line: string) => void): Promise<void> {
  const found = await findFunction(aws, plan)
  if (found?.FunctionArn !== undefined) await removeNotification(aws, plan, found.FunctionArn, tell)
  await removeFunction(aws, plan, tell)
  await removeQueue(aws, plan, tell)
  await removeRole(aws, plan, tell)
}

/** The fifth part of `arn:aws:lambda:REGION:ACCOUNT:…`. */
const accountOf = (arn: string): string => arn.split(':')[4] ?? ''

/** S3 sends events only to functions of the bucket's own region. */
async function checkBucket(aws: Aws, {bucket, region}: SyncPlan): Promise<void> {
  const missing = ['NotFound', 'NoSuchBucket']
  const found = await aws.find('s3:ListBucket', `bucket ${bucket}`, missing, () =>
    aws.s3.send(new HeadBucketCommand({Bucket: bucket})),
  )
  if (!found) throw new NotFound(`there is no bucket ${bucket}: start the server once, which makes it`)
  if (found.BucketRegion === undefined || found.BucketRegion === region) return
  throw new UsageError(
    `the bucket ${bucket} is in ${found.BucketRegion}, and sends events only to functions there, not in ${region}`,
    {hint: `Use -r ${found.BucketRegion}; the cache may be in another region.`},
  )
}

/** The function has no right to make tables. */
async function checkTables({config, kind}: SyncPlan): Promise<void> {
  if (kind !== 'dynamo') return
  const settings = config.read(dynamoCacheFields)
  const {files, projects, ours} = tablesOf(settings)
  using client = new DynamoClient(settings, originOf(settings, config.file))
  for (const table of [files, projects, ours]) {
    if (await describe(client, table)) continue
    throw new NotFound(`there is no DynamoDB table ${table}: start the server once, which makes it`)
  }
}
