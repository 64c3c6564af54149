import {readFileSync} from 'node:fs'
import type {Config} from '../../config/config.js'
import {ConfigError} from '../../config/problems.js'
import type {Values} from '../../config/fields.js'
import {s3StorageFields} from '../../config/schema/storage.js'

export type S3Values = Values<typeof s3StorageFields>

/** The settings of an S3 storage, after everything that one key says about another. */
export interface S3Settings {
  readonly values: S3Values
  /** Of an S3-compatible service. Undefined: AWS itself. */
  readonly endpoint: URL | undefined
  readonly pathStyle: boolean
  /** Certificates to trust instead of the system's, in PEM; false: none is checked. */
  readonly authorities: string | false | undefined
  /** `server.ini:14: storage.bucket`, or the bare key where nothing sets it. For messages. */
  place(key: string): string
}

export function readS3Settings(config: Config, environment = process.env): S3Settings {
  const values = config.read(s3StorageFields)
  const endpoint = endpointOf(config, values, environment)
  return {
    values,
    endpoint,
    pathStyle:
      values.addressingStyle === 'path' || (endpoint !== undefined && values.addressingStyle !== 'virtual'),
    authorities: authoritiesOf(config, values, environment),
    place(key) {
      const setting = config.settings.get(key)
      if (setting === undefined) return key
      return `${setting.source}${setting.line > 0 ? `:${setting.line}` : ''}: ${key}`
    },
  }
}

/** `storage.endpoint_url`, what AWS's own tools read, and at last the address as files of pypicloud 0.x have it. */
function endpointOf(config: Config, values: S3Values, environment: NodeJS.ProcessEnv): URL | undefined {
  const scheme = values.useSsl ? 'https' : 'http'
  if (values.endpointUrl !== undefined) {
    const text = values.endpointUrl.includes('://') ? values.endpointUrl : `${scheme}://${values.endpointUrl}`
    if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) {
      throw problem(config, 'storage.endpoint_url', `found "${text}", expected http://HOST or https://HOST`)
    }
    return new URL(text)
  }
  const fromEnvironment = environment['AWS_ENDPOINT_URL_S3'] ?? environment['AWS_ENDPOINT_URL']
  if (fromEnvironment && URL.canParse(fromEnvironment)) return new URL(fromEnvironment)
  const {host, port, isSecure} = values
  // AWS itself needs no address, and the one of an old file may be of another region
  if (host === undefined || isAws(host)) return undefined
  const address = `${isSecure ? 'https' : 'http'}://${host}${port === undefined ? '' : `:${port}`}`
  if (!URL.canParse(address))
    throw problem(config, 'storage.host', `found "${host}", expected the name of a host`)
  return new URL(address)
}

export const isAws = (host: string): boolean => /(?:^|\.)amazonaws\.com(?:\.cn)?$/i.test(host)

/** As boto: `storage.verify`, or else what AWS's own tools trust. */
function authoritiesOf(
  config: Config,
  {verify}: S3Values,
  environment: NodeJS.ProcessEnv,
): string | false | undefined {
  if (verify === false) return false
  const bundle = verify === true ? environment['AWS_CA_BUNDLE'] : verify
  if (!bundle) return undefined
  try {
    return readFileSync(bundle, 'utf8')
  } catch (error) {
    const source = verify === true ? ' of AWS_CA_BUNDLE' : ''
    throw problem(config, 'storage.verify', `the certificates in ${bundle}${source} can't be read`, error)
  }
}

/** A failure to blame on one key of the config. */
export function problem(config: Config, key: string, message: string, cause?: unknown): ConfigError {
  const setting = config.settings.get(key)
  const error = new ConfigError([
    {file: setting?.source ?? config.file, line: setting?.line ?? 0, key, message},
  ])
  if (cause !== undefined) error.cause = cause
  return error
}
