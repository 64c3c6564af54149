import {configOf, type Config} from '../config/config.js'
import type {Environment} from '../config/environment.js'
import {UsageError} from '../errors.js'
import {isRecord} from '../tasks/sync/events.js'
import {resolveSecret, resolveSecrets} from './secrets.js'

const variable = 'PYPICLOUD_SETTINGS'

/**
 * The config of a function: a JSON object of settings in the environment, as pypicloud has it, or the ARN of a secret that is
 * one. pypicloud's own has only `pypi.db` and `db.*`: then the bucket is that of the event.
 * @throws {ConfigError} {UsageError} {StorageFailed}
 */
export async function readLambdaConfig(environment: Environment, bucketOfEvent: string): Promise<Config> {
  const text = await resolveSecret(variable, environment[variable] ?? '{}')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new UsageError(`${variable} is no JSON`, {cause: error})
  }
  if (!isRecord(value)) throw new UsageError(`${variable} is no JSON object`)
  const settings = await resolveSecrets(
    Object.fromEntries(Object.entries(value).map(([key, member]) => [key, textOf(member)])),
  )
  return configOf(
    variable,
    {'storage.bucket': bucketOfEvent, ...settings, 'pypi.storage': 's3'},
    {environment},
  )
}

/** As a config file has it: lists by line. */
function textOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(textOf).join('\n')
  return typeof value === 'string' ? value : JSON.stringify(value)
}
