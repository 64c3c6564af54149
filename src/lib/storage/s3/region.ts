import type {S3Settings} from './settings.js'

/** Where nothing names a region, as boto. */
const defaultRegion = 'us-east-1'

/** What the environment or the profile say. Undefined where nobody does. */
async function regionOfEnvironment(environment = process.env): Promise<string | undefined> {
  const fromBoto = environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION']
  return fromBoto ? fromBoto : (await import('./sdk.js')).regionOfProfile()
}

/** The region to begin with: the config's, the environment's or boto's. */
export async function firstRegion({values}: S3Settings): Promise<string> {
  return values.regionName ?? (await regionOfEnvironment()) ?? defaultRegion
}
