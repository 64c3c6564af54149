import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
} from '@aws-sdk/client-sqs'
import type {Aws} from './aws.js'
import type {SyncPlan} from './plan.js'
import {partitionOf} from './policies.js'

const missing = ['QueueDoesNotExist', 'AWS.SimpleQueueService.NonExistentQueue']
const keptSeconds = 14 * 24 * 3600

/** Finds or makes the queue for events that failed again and again. @returns its ARN. */
export async function ensureQueue(aws: Aws, plan: SyncPlan, tell: (line: string) => void): Promise<string> {
  const {queueName, region} = plan
  let url = await findUrl(aws, queueName)
  if (url === undefined) {
    tell(`Making the queue ${queueName} for events that fail`)
    const command = new CreateQueueCommand({
      QueueName: queueName,
      Attributes: {MessageRetentionPeriod: String(keptSeconds), SqsManagedSseEnabled: 'true'},
    })
    url = (await aws.change('sqs:CreateQueue', `queue ${queueName}`, command, each => aws.sqs.send(each)))
      ?.QueueUrl
  }
  const arn = url === undefined ? undefined : (await attributesOf(aws, queueName, url))['QueueArn']
  return arn ?? `arn:${partitionOf(region)}:sqs:${region}:ACCOUNT:${queueName}`
}

/** Removes the queue, unless somebody has still to look at what failed. */
export async function removeQueue(
  aws: Aws,
  {queueName}: SyncPlan,
  tell: (line: string) => void,
): Promise<void> {
  const url = await findUrl(aws, queueName)
  if (url === undefined) return
  const waiting = Number((await attributesOf(aws, queueName, url))['ApproximateNumberOfMessages'] ?? 0)
  if (waiting > 0) {
    tell(`The queue ${queueName} stays, because ${waiting} events that failed are in it`)
    return
  }
  tell(`Removing the queue ${queueName}`)
  const command = new DeleteQueueCommand({QueueUrl: url})
  await aws.change('sqs:DeleteQueue', `queue ${queueName}`, command, each => aws.sqs.send(each))
}

async function findUrl(aws: Aws, name: string): Promise<string | undefined> {
  const found = await aws.find('sqs:GetQueueUrl', `queue ${name}`, missing, () =>
    aws.sqs.send(new GetQueueUrlCommand({QueueName: name})),
  )
  return found?.QueueUrl
}

async function attributesOf(aws: Aws, name: string, url: string): Promise<Partial<Record<string, string>>> {
  const found = await aws.read('sqs:GetQueueAttributes', `queue ${name}`, () =>
    aws.sqs.send(
      new GetQueueAttributesCommand({
        QueueUrl: url,
        AttributeNames: ['QueueArn', 'ApproximateNumberOfMessages'],
      }),
    ),
  )
  return found.Attributes ?? {}
}
