import {
  GetFunctionEventInvokeConfigCommand,
  PutFunctionEventInvokeConfigCommand,
} from '@aws-sdk/client-lambda'
import type {Aws} from './aws.js'
import {isUnsettled} from './function.js'
import type {SyncPlan} from './plan.js'

/** Tried again for so long before an event is put aside: a database may be away for a while. */
export const retries = 2
export const longestAgeSeconds = 6 * 3600

/** Has events of which the function fails again and again put into the queue. */
export async function ensureOnFailure(
  aws: Aws,
  {functionName}: SyncPlan,
  queueArn: string,
  tell: (line: string) => void,
): Promise<void> {
  const resource = `function ${functionName}`
  const found = await aws.find(
    'lambda:GetFunctionEventInvokeConfig',
    resource,
    ['ResourceNotFoundException'],
    () => aws.lambda.send(new GetFunctionEventInvokeConfigCommand({FunctionName: functionName})),
  )
  if (found?.DestinationConfig?.OnFailure?.Destination === queueArn) return
  tell('Having events that fail put into the queue')
  const command = new PutFunctionEventInvokeConfigCommand({
    FunctionName: functionName,
    MaximumRetryAttempts: retries,
    MaximumEventAgeInSeconds: longestAgeSeconds,
    DestinationConfig: {OnFailure: {Destination: queueArn}},
  })
  await aws.settled(
    () => aws.change('lambda:PutFunctionEventInvokeConfig', resource, command, each => aws.lambda.send(each)),
    isUnsettled,
  )
}
