import {
  CreateRoleCommand,
  DeleteRoleCommand,
  DeleteRolePolicyCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  ListAttachedRolePoliciesCommand,
  ListRolePoliciesCommand,
  PutRolePolicyCommand,
} from '@aws-sdk/client-iam'
import type {Aws} from './aws.js'
import {rolePath, type SyncPlan} from './plan.js'
import {partitionOf} from './policies.js'

const missing = ['NoSuchEntity', 'NoSuchEntityException']

/** Who may take the role. */
export const trustPolicy = {
  Version: '2012-10-17',
  Statement: [{Effect: 'Allow', Principal: {Service: 'lambda.amazonaws.com'}, Action: 'sts:AssumeRole'}],
} as const

/** Finds or makes the role of the function. @returns its ARN. */
export async function ensureRole(aws: Aws, plan: SyncPlan, tell: (line: string) => void): Promise<string> {
  if (plan.givenRole !== undefined) return plan.givenRole
  const {roleName} = plan
  const found = await aws.find('iam:GetRole', `role ${roleName}`, missing, () =>
    aws.iam.send(new GetRoleCommand({RoleName: roleName})),
  )
  if (found?.Role?.Arn !== undefined) return found.Role.Arn
  tell(`Making the role ${roleName}`)
  const command = new CreateRoleCommand({
    RoleName: roleName,
    Path: rolePath,
    AssumeRolePolicyDocument: JSON.stringify(trustPolicy),
    Description: 'Lets AWS Lambda keep the cache of a package index in step with its bucket',
  })
  const made = await aws.change('iam:CreateRole', `role ${roleName}`, command, each => aws.iam.send(each))
  return made?.Role?.Arn ?? `arn:${partitionOf(plan.region)}:iam::ACCOUNT:role${rolePath}${roleName}`
}

/** Gives the role the rights of this function, and changes no others that it has. */
export async function ensurePolicy(
  aws: Aws,
  {givenRole, roleName, policyName, policy}: SyncPlan,
  failedQueue: string,
  tell: (line: string) => void,
): Promise<void> {
  if (givenRole !== undefined) return
  const names = {RoleName: roleName, PolicyName: policyName}
  const wanted = JSON.stringify(policy(failedQueue))
  const found = await aws.find('iam:GetRolePolicy', `role ${roleName}`, missing, () =>
    aws.iam.send(new GetRolePolicyCommand(names)),
  )
  if (found?.PolicyDocument !== undefined && sameJson(decodeURIComponent(found.PolicyDocument), wanted))
    return
  tell(`Giving the role ${roleName} the rights of the function`)
  const command = new PutRolePolicyCommand({...names, PolicyDocument: wanted})
  await aws.change('iam:PutRolePolicy', `role ${roleName}`, command, each => aws.iam.send(each))
}

/** Takes the function's rights from the role, and the role away when it has no others. */
export async function removeRole(
  aws: Aws,
  {roleName, policyName, givenRole}: SyncPlan,
  tell: (line: string) => void,
): Promise<void> {
  if (givenRole !== undefined) return
  const role = {RoleName: roleName}
  const found = await aws.find('iam:GetRole', `role ${roleName}`, missing, () =>
    aws.iam.send(new GetRoleCommand(role)),
  )
  if (!found) return
  const inline = await aws.read('iam:ListRolePolicies', `role ${roleName}`, () =>
    aws.iam.send(new ListRolePoliciesCommand(role)),
  )
  const names = inline.PolicyNames ?? []
  if (names.includes(policyName)) {
    const command = new DeleteRolePolicyCommand({...role, PolicyName: policyName})
    await aws.change('iam:DeleteRolePolicy', `role ${roleName}`, command, each => aws.iam.send(each))
  }
  const attached = await aws.read('iam:ListAttachedRolePolicies', `role ${roleName}`, () =>
    aws.iam.send(new ListAttachedRolePoliciesCommand(role)),
  )
  const others = [...names.filter(name => name !== policyName), ...(attached.AttachedPolicies ?? [])]
  if (found.Role?.Path !== rolePath || others.length > 0) {
    tell(`The role ${roleName} stays, because it has other rights`)
    return
  }
  tell(`Removing the role ${roleName}`)
  await aws.change('iam:DeleteRole', `role ${roleName}`, new DeleteRoleCommand(role), each =>
    aws.iam.send(each),
  )
}

const sameJson = (a: string, b: string): boolean => {
  try {
    return JSON.stringify(JSON.parse(a)) === JSON.stringify(JSON.parse(b))
  } catch {
    return false
  }
}
