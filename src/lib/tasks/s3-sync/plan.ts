import type {Config, Setting} from '../../config/config.js'
import {dynamoCacheFields} from '../../config/schema/cache.js'
import {s3StorageFields} from '../../config/schema/storage.js'
import {shortNames} from '../../config/schema/index.js'
import {UsageError} from '../../errors.js'
import {cacheKindOf, type CacheKind} from '../../lambda/cache-kind.js'
import {leastRights, type Policy} from './policies.js'

export interface PlanOptions {
  /** Of the function. */
  readonly name: string
  readonly region?: string | undefined
  /** ARN of a role that is there already. */
  readonly role?: string | undefined
  readonly runtime: string
  /** How many of the function run at once at most; 0: as many as the account allows. */
  readonly concurrency: number
  /** ARN of a secret with the settings, instead of the settings in the function's environment. */
  readonly secret?: string | undefined
  readonly subnets?: readonly string[] | undefined
  readonly securityGroups?: readonly string[] | undefined
}

/** Everything that a set-up consists of, by its names. */
export interface SyncPlan {
  readonly config: Config
  readonly kind: CacheKind
  readonly region: string
  readonly bucket: string
  /** Of keys; may be empty. */
  readonly prefix: string
  readonly functionName: string
  readonly runtime: string
  readonly timeoutSeconds: number
  readonly memoryMegabytes: number
  readonly concurrency: number
  /** `PYPICLOUD_SETTINGS`. */
  readonly settings: string
  /** Whether `settings` holds a password. */
  readonly tellsSecrets: boolean
  readonly queueName: string
  /** ARN of a role that is not ours to change. */
  readonly givenRole: string | undefined
  readonly roleName: string
  /** Of the function's own policy: several functions may share the role. */
  readonly policyName: string
  readonly description: string
  readonly network: {readonly SubnetIds: string[]; readonly SecurityGroupIds: string[]} | undefined
  /** @param failedQueue ARN of the queue. */
  policy(failedQueue: string): Policy
}

/** pypicloud's, so that its function is found again. */
export const defaultFunctionName = 'pypicloud_s3_sync'
export const rolePath = '/pypicloud/'

/** @throws {UsageError} where AWS can't send the events of this storage to a function for this cache. */
export function planSync(config: Config, options: PlanOptions, environment = process.env): SyncPlan {
  const kind = cacheKindOf(config)
  const {storage} = shortNames(config)
  if (storage !== 's3' && storage !== 'cloudfront') {
    throw new UsageError(
      `${config.file}: pypi.storage: found "${config.core.storage}", expected s3 or cloudfront`,
      {
        hint: 'ppc sync-serve takes the notifications of other services.',
      },
    )
  }
  const {bucket, prefix, regionName, endpointUrl} = config.read(s3StorageFields)
  if (endpointUrl !== undefined) {
    throw new UsageError(
      `${config.file}: storage.endpoint_url: ${new URL(endpointUrl).host} is not AWS, and sends no events to AWS Lambda`,
      {hint: 'ppc sync-serve takes events that such services post.'},
    )
  }
  const region =
    options.region ?? regionName ?? environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION']
  if (!region) throw new UsageError(`${config.file}: storage.region_name is not set: give the region with -r`)
  if (!/^[\w-]{1,64}$/.test(options.name)) {
    throw new UsageError(`-n: a function can't be called "${options.name}": letters, digits, _ and - only`)
  }
  const settings = settingsOf(config, kind, region)
  const {name: functionName, secret} = options
  const network = options.subnets?.length
    ? {SubnetIds: [...options.subnets], SecurityGroupIds: [...(options.securityGroups ?? [])]}
    : undefined
  return {
    config,
    kind,
    region,
    bucket,
    prefix,
    functionName,
    runtime: options.runtime,
    timeoutSeconds: 60,
    memoryMegabytes: 256,
    concurrency: options.concurrency,
    settings: secret ?? JSON.stringify(settings),
    tellsSecrets: secret === undefined && /:\/\/[^/]*:[^/]*@/.test(settings['db.url'] ?? ''),
    queueName: `${functionName}_failed`,
    givenRole: options.role,
    roleName: `pypicloud_lambda_${shortNames(config).db ?? kind}`,
    policyName: `${functionName}_${region}`,
    description: `Keeps a package index's cache (${kind}) in step with the bucket ${bucket}`,
    network,
    policy: failedQueue =>
      leastRights(config, 'lambda', {
        functionName,
        region,
        failedQueue,
        secret: secret?.replace(/#.*$/s, ''),
        inVpc: network !== undefined,
      }),
  }
}

/** What the function is told of the config. Its role gives the credentials, so that no keys are in it. */
function settingsOf(config: Config, kind: CacheKind, region: string): Record<string, string> {
  const isLocal = kind === 'dynamo' && config.read(dynamoCacheFields).host !== undefined
  const isWanted = ({key}: Setting) =>
    key === 'pypi.db' ||
    (key.startsWith('db.') && (isLocal || !key.startsWith('db.aws_'))) ||
    ['storage.bucket', 'storage.prefix', 'storage.prepend_hash'].includes(key)
  const {regionName} = config.read(s3StorageFields)
  return {
    ...Object.fromEntries(
      [...config.settings.values()].filter(isWanted).map(({key, value}) => [key, value] as const),
    ),
    'storage.region_name': regionName ?? region,
  }
}
