import {
  GetBucketNotificationConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
  type LambdaFunctionConfiguration,
  type NotificationConfiguration,
} from '@aws-sdk/client-s3'
import type {Aws} from './aws.js'
import {AwsFailed, isNamed, wordsOf} from './failures.js'
import type {SyncPlan} from './plan.js'

/** Everything that a bucket tells of, whoever has set it up. */
type Known = Pick<
  NotificationConfiguration,
  'TopicConfigurations' | 'QueueConfigurations' | 'LambdaFunctionConfigurations' | 'EventBridgeConfiguration'
>

/** Has the bucket tell the function of its events, beside all that it tells others already. */
export async function ensureNotification(
  aws: Aws,
  plan: SyncPlan,
  functionArn: string,
  tell: (line: string) => void,
): Promise<void> {
  const {bucket, prefix, functionName} = plan
  const known = await readKnown(aws, bucket)
  const ours: LambdaFunctionConfiguration = {
    Id: functionName,
    LambdaFunctionArn: functionArn,
    Events: ['s3:ObjectCreated:*', 's3:ObjectRemoved:*'],
    ...(prefix !== '' && {Filter: {Key: {FilterRules: [{Name: 'prefix', Value: prefix}]}}}),
  }
  const {mine, others} = split(known, functionArn)
  if (mine.length === 1 && saysTheSame(mine[0], ours)) return
  tell(`Having the bucket ${bucket} send its events to the function`)
  const next = {...known, LambdaFunctionConfigurations: [...others, ours]}
  await aws.settled(
    async () => {
      try {
        await write(aws, bucket, next)
      } catch (error) {
        throw explainOverlap(error, bucket, known)
      }
    },
    // the permission to call the function is not known everywhere yet
    error => isNamed(error, 'InvalidArgument') && /validate the following destination/i.test(wordsOf(error)),
  )
}

/** Has the bucket tell the function nothing any more, and everybody else what it told before. */
export async function removeNotification(
  aws: Aws,
  {bucket}: SyncPlan,
  functionArn: string,
  tell: (line: string) => void,
): Promise<void> {
  const known = await readKnown(aws, bucket)
  const {mine, others} = split(known, functionArn)
  if (mine.length === 0) return
  tell(`Having the bucket ${bucket} send no more events to the function`)
  await write(aws, bucket, {...known, LambdaFunctionConfigurations: others})
}

async function readKnown(aws: Aws, bucket: string): Promise<Known> {
  const found = await aws.read('s3:GetBucketNotification', `bucket ${bucket}`, () =>
    aws.s3.send(new GetBucketNotificationConfigurationCommand({Bucket: bucket})),
  )
  const {TopicConfigurations, QueueConfigurations, LambdaFunctionConfigurations, EventBridgeConfiguration} =
    found
  return {
    ...(TopicConfigurations && {TopicConfigurations}),
    ...(QueueConfigurations && {QueueConfigurations}),
    ...(LambdaFunctionConfigurations && {LambdaFunctionConfigurations}),
    ...(EventBridgeConfiguration && {EventBridgeConfiguration}),
  }
}

async function write(aws: Aws, bucket: string, next: Known): Promise<void> {
  const command = new PutBucketNotificationConfigurationCommand({
    Bucket: bucket,
    NotificationConfiguration: next,
  })
  await aws.change('s3:PutBucketNotification', `bucket ${bucket}`, command, each => aws.s3.send(each))
}

/** Those of this function, pypicloud's two included, and those of others. */
function split(known: Known, functionArn: string) {
  const all = known.LambdaFunctionConfigurations ?? []
  const isOurs = ({LambdaFunctionArn: arn}: LambdaFunctionConfiguration) =>
    arn === functionArn || (arn?.startsWith(`${functionArn}:`) ?? false)
  return {mine: all.filter(isOurs), others: all.filter(each => !isOurs(each))}
}

function saysTheSame(
  found: LambdaFunctionConfiguration | undefined,
  wanted: LambdaFunctionConfiguration,
): boolean {
  const meaning = ({Events = [], Filter, LambdaFunctionArn}: LambdaFunctionConfiguration) =>
    JSON.stringify([
      LambdaFunctionArn,
      [...Events].sort(),
      (Filter?.Key?.FilterRules ?? []).map(({Name, Value}) => [Name?.toLowerCase(), Value]),
    ])
  return found !== undefined && meaning(found) === meaning(wanted)
}

/** S3 tells one receiver only of each event of a key. */
function explainOverlap(error: unknown, bucket: string, known: Known): unknown {
  if (!isNamed(error, 'InvalidArgument') || !/overlap|ambiguous/i.test(wordsOf(error))) return error
  const receivers = [
    ...(known.TopicConfigurations ?? []).map(({TopicArn}) => TopicArn),
    ...(known.QueueConfigurations ?? []).map(({QueueArn}) => QueueArn),
    ...(known.LambdaFunctionConfigurations ?? []).map(({LambdaFunctionArn}) => LambdaFunctionArn),
  ]
  return new AwsFailed(
    `the bucket ${bucket} sends the same events to ${receivers.filter(Boolean).join(', ')} already, and S3 knows one receiver only: nothing was changed there`,
    {
      cause: error,
      hint: 'Have them sent to an SNS topic or to EventBridge, and that to both: the function understands both.',
    },
  )
}
