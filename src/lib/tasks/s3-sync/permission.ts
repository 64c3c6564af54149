import {AddPermissionCommand, GetPolicyCommand} from '@aws-sdk/client-lambda'
import {isRecord} from '../sync/events.js'
import type {Aws} from './aws.js'
import type {SyncPlan} from './plan.js'
import {partitionOf} from './policies.js'

/** pypicloud's. */
const usualId = 's3_invoke'

/** Lets the bucket, as long as it belongs to this account, call the function. */
export async function ensurePermission(
  aws: Aws,
  {functionName, bucket, region}: SyncPlan,
  account: string,
  tell: (line: string) => void,
): Promise<void> {
  const resource = `function ${functionName}`
  const source = `arn:${partitionOf(region)}:s3:::${bucket}`
  const found = await aws.find('lambda:GetPolicy', resource, ['ResourceNotFoundException'], () =>
    aws.lambda.send(new GetPolicyCommand({FunctionName: functionName})),
  )
  const statements = statementsOf(found?.Policy)
  if (statements.some(statement => JSON.stringify(statement).includes(`"${source}"`))) return
  tell(`Letting the bucket ${bucket} call the function`)
  const isTaken = statements.some(statement => statement['Sid'] === usualId)
  const command = new AddPermissionCommand({
    FunctionName: functionName,
    StatementId: isTaken ? `${usualId}_${bucket.replaceAll('.', '_')}` : usualId,
    Action: 'lambda:InvokeFunction',
    Principal: 's3.amazonaws.com',
    SourceArn: source,
    SourceAccount: account,
  })
  await aws.change('lambda:AddPermission', resource, command, each => aws.lambda.send(each))
}

function statementsOf(policy: string | undefined): Record<string, unknown>[] {
  const parsed: unknown = JSON.parse(policy ?? '{}')
  const found = isRecord(parsed) ? parsed['Statement'] : undefined
  return Array.isArray(found) ? found.filter(isRecord) : []
}
