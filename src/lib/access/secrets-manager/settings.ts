import type {Config} from '../../config/config.js'
import type {Values} from '../../config/fields.js'
import {ConfigError} from '../../config/problems.js'
import {secretsManagerAccessFields} from '../../config/schema/access.js'
import type {SecretOrigin} from './failures.js'

export interface SecretSettings {
  readonly values: Values<typeof secretsManagerAccessFields>
  /** Undefined: the SDK asks the profile. */
  readonly region: string | undefined
}

const arnRegion = /^arn:[^:]*:secretsmanager:([^:]+):/

/** @throws {ConfigError} when the ARN is of another region than the config names. */
export function readSecretSettings(config: Config, environment = process.env): SecretSettings {
  const values = config.read(secretsManagerAccessFields)
  const [, ofArn] = arnRegion.exec(values.secretId) ?? []
  if (ofArn !== undefined && values.regionName !== undefined && ofArn !== values.regionName) {
    const setting = config.settings.get('auth.region_name')
    const message = `found "${values.regionName}", but auth.secret_id is in ${ofArn}`
    const file = setting?.source ?? config.file
    throw new ConfigError([{file, line: setting?.line ?? 0, key: 'auth.region_name', message}])
  }
  // boto reads AWS_DEFAULT_REGION, the SDK AWS_REGION
  const ofEnvironment = environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION']
  return {values, region: values.regionName ?? ofArn ?? (ofEnvironment || undefined)}
}

export function originOf(config: Config, {values, region}: SecretSettings): SecretOrigin {
  return {
    secret: `the secret "${values.secretId}"${region === undefined ? '' : ` in AWS region ${region}`}`,
    place(key) {
      const setting = config.settings.get(key)
      if (setting === undefined) return `${config.file}: ${key}`
      return `${setting.source}${setting.line > 0 ? `:${setting.line}` : ''}: ${key}`
    },
  }
}
