import {handlerName} from '../lambda-bundle/bundle.js'
import {longestAgeSeconds, retries} from './on-failure.js'
import {rolePath, type SyncPlan} from './plan.js'
import {trustPolicy} from './role.js'

export type TemplateKind = 'cloudformation' | 'terraform'

/*
 * Both let EventBridge pass the events on: a template that owned the notifications of a bucket would replace those of others.
 * The bucket has to send its events there, which is one switch.
 */

export const templateOf = (plan: SyncPlan, kind: TemplateKind): string =>
  `${JSON.stringify(kind === 'cloudformation' ? cloudFormation(plan) : terraform(plan), undefined, 2)}\n`

/** Which events of EventBridge are about this bucket. */
const pattern = ({bucket, prefix}: SyncPlan) => ({
  source: ['aws.s3'],
  'detail-type': ['Object Created', 'Object Deleted'],
  detail: {bucket: {name: [bucket]}, ...(prefix !== '' && {object: {key: [{prefix}]}})},
})

const retentionSeconds = 14 * 24 * 3600

function cloudFormation(plan: SyncPlan) {
  const arnOf = (resource: string) => ({'Fn::GetAtt': [resource, 'Arn']})
  const queueArn = '<queue>'
  const statements = plan.policy(queueArn).Statement.map(statement => ({
    ...statement,
    Resource: statement.Resource.map(arn => (arn === queueArn ? arnOf('Failed') : arn)),
  }))
  return {
    AWSTemplateFormatVersion: '2010-09-09',
    Description: plan.description,
    Parameters: {
      CodeBucket: {Type: 'String', Description: 'Bucket of the zip that ppc-build-lambda-bundle has written'},
      CodeKey: {Type: 'String', Default: 'ppc-toolkit/bundle.zip'},
    },
    Resources: {
      Failed: {Type: 'AWS::SQS::Queue', Properties: {MessageRetentionPeriod: retentionSeconds}},
      ...(plan.givenRole === undefined && {
        Role: {
          Type: 'AWS::IAM::Role',
          Properties: {
            Path: rolePath,
            AssumeRolePolicyDocument: trustPolicy,
            Policies: [
              {PolicyName: plan.policyName, PolicyDocument: {Version: '2012-10-17', Statement: statements}},
            ],
          },
        },
      }),
      Function: {
        Type: 'AWS::Lambda::Function',
        Properties: {
          FunctionName: plan.functionName,
          Description: plan.description,
          Runtime: plan.runtime,
          Handler: handlerName,
          Role: plan.givenRole ?? arnOf('Role'),
          Timeout: plan.timeoutSeconds,
          MemorySize: plan.memoryMegabytes,
          ...(plan.concurrency > 0 && {ReservedConcurrentExecutions: plan.concurrency}),
          Environment: {Variables: {PYPICLOUD_SETTINGS: plan.settings}},
          Code: {S3Bucket: {Ref: 'CodeBucket'}, S3Key: {Ref: 'CodeKey'}},
          ...(plan.network && {VpcConfig: plan.network}),
        },
      },
      OnFailure: {
        Type: 'AWS::Lambda::EventInvokeConfig',
        Properties: {
          FunctionName: {Ref: 'Function'},
          Qualifier: '$LATEST',
          MaximumRetryAttempts: retries,
          MaximumEventAgeInSeconds: longestAgeSeconds,
          DestinationConfig: {OnFailure: {Destination: arnOf('Failed')}},
        },
      },
      Events: {
        Type: 'AWS::Events::Rule',
        Properties: {
          Description: plan.description,
          EventPattern: pattern(plan),
          Targets: [{Id: 'function', Arn: arnOf('Function')}],
        },
      },
      Permission: {
        Type: 'AWS::Lambda::Permission',
        Properties: {
          FunctionName: {Ref: 'Function'},
          Action: 'lambda:InvokeFunction',
          Principal: 'events.amazonaws.com',
          SourceArn: arnOf('Events'),
        },
      },
    },
    Outputs: {FunctionArn: {Value: arnOf('Function')}},
  }
}

/** In Terraform's JSON syntax, for a file that ends with `.tf.json`. */
function terraform(plan: SyncPlan) {
  const name = 'ppc_sync'
  const queueArn = `\${aws_sqs_queue.${name}.arn}`
  return {
    variable: {
      [`${name}_bundle`]: {type: 'string', description: 'The zip that ppc-build-lambda-bundle has written'},
    },
    resource: {
      aws_sqs_queue: {
        [name]: {
          name: plan.queueName,
          message_retention_seconds: retentionSeconds,
          sqs_managed_sse_enabled: true,
        },
      },
      ...(plan.givenRole === undefined && {
        aws_iam_role: {
          [name]: {
            name: `${plan.roleName}_${plan.region}`,
            path: rolePath,
            assume_role_policy: JSON.stringify(trustPolicy),
          },
        },
        aws_iam_role_policy: {
          [name]: {
            name: plan.policyName,
            role: `\${aws_iam_role.${name}.id}`,
            policy: JSON.stringify(plan.policy(queueArn)),
          },
        },
      }),
      aws_lambda_function: {
        [name]: {
          function_name: plan.functionName,
          description: plan.description,
          runtime: plan.runtime,
          handler: handlerName,
          role: plan.givenRole ?? `\${aws_iam_role.${name}.arn}`,
          timeout: plan.timeoutSeconds,
          memory_size: plan.memoryMegabytes,
          ...(plan.concurrency > 0 && {reserved_concurrent_executions: plan.concurrency}),
          filename: `\${var.${name}_bundle}`,
          source_code_hash: `\${filebase64sha256(var.${name}_bundle)}`,
          environment: {variables: {PYPICLOUD_SETTINGS: literal(plan.settings)}},
          ...(plan.network && {
            vpc_config: {
              subnet_ids: plan.network.SubnetIds,
              security_group_ids: plan.network.SecurityGroupIds,
            },
          }),
        },
      },
      aws_lambda_function_event_invoke_config: {
        [name]: {
          function_name: `\${aws_lambda_function.${name}.function_name}`,
          maximum_retry_attempts: retries,
          maximum_event_age_in_seconds: longestAgeSeconds,
          destination_config: {on_failure: {destination: queueArn}},
          // without the right to send there AWS refuses it
          ...(plan.givenRole === undefined && {depends_on: [`aws_iam_role_policy.${name}`]}),
        },
      },
      aws_cloudwatch_event_rule: {
        [name]: {description: plan.description, event_pattern: literal(JSON.stringify(pattern(plan)))},
      },
      aws_cloudwatch_event_target: {
        [name]: {
          rule: `\${aws_cloudwatch_event_rule.${name}.name}`,
          arn: `\${aws_lambda_function.${name}.arn}`,
        },
      },
      aws_lambda_permission: {
        [name]: {
          action: 'lambda:InvokeFunction',
          function_name: `\${aws_lambda_function.${name}.function_name}`,
          principal: 'events.amazonaws.com',
          source_arn: `\${aws_cloudwatch_event_rule.${name}.arn}`,
        },
      },
    },
  }
}

/** Terraform reads `${…}` and `%{…}` in every text. */
const literal = (text: string): string => text.replaceAll('${', '$${').replaceAll('%{', '%%{')
