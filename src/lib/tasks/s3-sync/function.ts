import {createHash} from 'node:crypto'
import {setTimeout as sleep} from 'node:timers/promises'
import {
  CreateFunctionCommand,
  DeleteFunctionCommand,
  GetFunctionCommand,
  GetFunctionConcurrencyCommand,
  PutFunctionConcurrencyCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  type FunctionConfiguration,
  type Runtime,
} from '@aws-sdk/client-lambda'
import {Unavailable} from '../../errors.js'
import {handlerName} from '../lambda-bundle/bundle.js'
import type {Aws} from './aws.js'
import {isNamed, wordsOf} from './failures.js'
import type {SyncPlan} from './plan.js'
import {partitionOf} from './policies.js'

const missing = ['ResourceNotFoundException']
const readyMs = 120_000

/** What happens to a function of that name that is there already. */
export type IfThere = 'keep' | 'update' | 'replace'

export interface FunctionParts {
  readonly zip: Buffer
  readonly roleArn: string
}

/** Finds, makes, updates or replaces the function. @returns its ARN, and whether it was changed. */
export async function ensureFunction(
  aws: Aws,
  plan: SyncPlan,
  parts: FunctionParts,
  ifThere: IfThere,
  tell: (line: string) => void,
): Promise<{readonly arn: string; readonly changed: boolean}> {
  const {functionName} = plan
  const found = await findFunction(aws, plan)
  if (found?.FunctionArn !== undefined && ifThere === 'keep') {
    tell(
      `The function ${functionName} is there already, and stays as it is (--update brings it up to date, -f replaces it)`,
    )
    return {arn: found.FunctionArn, changed: false}
  }
  if (found?.FunctionArn !== undefined && ifThere === 'update') {
    const changed = await updateFunction(aws, plan, parts, found, tell)
    return {arn: found.FunctionArn, changed}
  }
  if (found) await removeFunction(aws, plan, tell)
  tell(`Making the function ${functionName}`)
  const made = await aws.settled(() => createFunction(aws, plan, parts), isUnsettled)
  if (made) await untilReady(aws, plan)
  const arn = `arn:${partitionOf(plan.region)}:lambda:${plan.region}:ACCOUNT:function:${functionName}`
  return {arn: made?.FunctionArn ?? found?.FunctionArn ?? arn, changed: true}
}

/** Limits how many run at once, so that a flood of events is no flood for the database. */
export async function limitConcurrency(
  aws: Aws,
  {functionName, concurrency}: SyncPlan,
  tell: (line: string) => void,
): Promise<void> {
  if (concurrency === 0) return
  const name = {FunctionName: functionName}
  const found = await aws.find('lambda:GetFunctionConcurrency', `function ${functionName}`, missing, () =>
    aws.lambda.send(new GetFunctionConcurrencyCommand(name)),
  )
  if (found?.ReservedConcurrentExecutions === concurrency) return
  const command = new PutFunctionConcurrencyCommand({...name, ReservedConcurrentExecutions: concurrency})
  try {
    await aws.change('lambda:PutFunctionConcurrency', `function ${functionName}`, command, each =>
      aws.lambda.send(each),
    )
  } catch (error) {
    // small accounts have nothing that could be reserved
    if (!isNamed(error, 'InvalidParameterValueException')) throw error
    tell(`The account has no ${concurrency} executions to reserve for the function: ${wordsOf(error)}`)
  }
}

export async function removeFunction(aws: Aws, plan: SyncPlan, tell: (line: string) => void): Promise<void> {
  const {functionName} = plan
  if (!(await findFunction(aws, plan))) return
  tell(`Removing the function ${functionName}`)
  const command = new DeleteFunctionCommand({FunctionName: functionName})
  await aws.change('lambda:DeleteFunction', `function ${functionName}`, command, each =>
    aws.lambda.send(each),
  )
}

/** Undefined where there is none. */
export async function findFunction(
  aws: Aws,
  {functionName}: SyncPlan,
): Promise<FunctionConfiguration | undefined> {
  const found = await aws.find('lambda:GetFunction', `function ${functionName}`, missing, () =>
    aws.lambda.send(new GetFunctionCommand({FunctionName: functionName})),
  )
  return found?.Configuration
}

const configurationOf = (plan: SyncPlan, {roleArn}: FunctionParts) => ({
  FunctionName: plan.functionName,
  Role: roleArn,
  Runtime: plan.runtime as Runtime,
  Handler: handlerName,
  Description: plan.description,
  Timeout: plan.timeoutSeconds,
  MemorySize: plan.memoryMegabytes,
  Environment: {Variables: {PYPICLOUD_SETTINGS: plan.settings}},
  ...(plan.network && {VpcConfig: plan.network}),
})

function createFunction(aws: Aws, plan: SyncPlan, parts: FunctionParts) {
  const command = new CreateFunctionCommand({
    ...configurationOf(plan, parts),
    Code: {ZipFile: parts.zip},
    Publish: true,
  })
  return aws.change('lambda:CreateFunction', `function ${plan.functionName}`, command, each =>
    aws.lambda.send(each),
  )
}

/** A role that was just made, rights that it just got, a function that is just going. */
export const isUnsettled = (error: unknown): boolean =>
  (isNamed(error, 'InvalidParameterValueException') && /role|assume|permission/i.test(wordsOf(error))) ||
  (isNamed(error, 'ResourceConflictException') && /progress|pending|delet/i.test(wordsOf(error)))

async function updateFunction(
  aws: Aws,
  plan: SyncPlan,
  parts: FunctionParts,
  found: FunctionConfiguration,
  tell: (line: string) => void,
): Promise<boolean> {
  const {functionName} = plan
  const resource = `function ${functionName}`
  const wanted = configurationOf(plan, parts)
  const hasCode = found.CodeSha256 === createHash('sha256').update(parts.zip).digest('base64')
  const hasConfiguration = isLike(found, wanted)
  if (hasCode && hasConfiguration) {
    tell(`The function ${functionName} is up to date`)
    return false
  }
  tell(`Updating the function ${functionName}`)
  if (!hasConfiguration) {
    const command = new UpdateFunctionConfigurationCommand(wanted)
    await aws.settled(
      () =>
        aws.change('lambda:UpdateFunctionConfiguration', resource, command, each => aws.lambda.send(each)),
      isUnsettled,
    )
    await untilReady(aws, plan)
  }
  if (!hasCode) {
    const command = new UpdateFunctionCodeCommand({
      FunctionName: functionName,
      ZipFile: parts.zip,
      Publish: true,
    })
    await aws.settled(
      () => aws.change('lambda:UpdateFunctionCode', resource, command, each => aws.lambda.send(each)),
      isUnsettled,
    )
    await untilReady(aws, plan)
  }
  return true
}

/** Whether everything that `wanted` says is so. */
function isLike(found: unknown, wanted: unknown): boolean {
  if (typeof wanted !== 'object' || wanted === null) return found === wanted
  if (typeof found !== 'object' || found === null) return false
  return Object.entries(wanted).every(([key, value]) =>
    isLike((found as Record<string, unknown>)[key], value),
  )
}

async function untilReady(aws: Aws, plan: SyncPlan): Promise<void> {
  if (aws.dryRun) return
  const giveUpAt = performance.now() + readyMs
  for (;;) {
    const found = await findFunction(aws, plan)
    if (found?.State !== 'Pending' && found?.LastUpdateStatus !== 'InProgress') return
    if (performance.now() > giveUpAt) {
      throw new Unavailable(
        `the function ${plan.functionName} is not ready after two minutes: run this again`,
      )
    }
    await sleep(1000)
  }
}
