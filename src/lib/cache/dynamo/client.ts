import {setTimeout as sleep} from 'node:timers/promises'
import {
  DynamoDBClient,
  type DynamoDBClientConfig,
  type ServiceInputTypes,
  type ServiceOutputTypes,
} from '@aws-sdk/client-dynamodb'
import {NodeHttpHandler} from '@smithy/node-http-handler'
import {sayNothingOfNodeVersion} from '../../aws-node-version.js'
import type {Values} from '../../config/fields.js'
import type {dynamoCacheFields} from '../../config/schema/cache.js'
import {Unavailable} from '../../errors.js'
import {explainDynamo, retryKind, type DynamoOrigin} from './failures.js'

export type DynamoSettings = Values<typeof dynamoCacheFields>
type Command<I extends ServiceInputTypes, O extends ServiceOutputTypes> = Parameters<
  typeof DynamoDBClient.prototype.send<I, O>
>[0]

/** How long anything is asked again, and how often what is not merely busy. */
const longestMs = 20_000
const mostFailures = {busy: Infinity, unreachable: 6, failing: 10, clock: 2} as const
const connections = 32

/** The SDK's client with our own retries and our own sentences. */
export class DynamoClient implements Disposable {
  readonly #client: DynamoDBClient

  constructor(
    readonly settings: DynamoSettings,
    readonly origin: DynamoOrigin,
  ) {
    sayNothingOfNodeVersion()
    this.#client = new DynamoDBClient(clientConfig(settings))
  }

  /**
   * @param onRepeat is called before it is sent again, though the service may have received it.
   * @throws {Unavailable} when it can't be reached or stays busy, {DatabaseFailed} for credentials and rights.
   */
  async send<I extends ServiceInputTypes, O extends ServiceOutputTypes>(
    command: Command<I, O>,
    onRepeat?: () => void,
  ): Promise<O> {
    const started = performance.now()
    const failures = {busy: 0, unreachable: 0, failing: 0, clock: 0}
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#client.send(command)
      } catch (error) {
        const kind = retryKind(error)
        if (
          kind === undefined ||
          (failures[kind] += 1) >= mostFailures[kind] ||
          performance.now() - started > longestMs
        ) {
          throw explainDynamo(error, this.origin, (command.input as {TableName?: string}).TableName)
        }
        await pause(attempt)
        onRepeat?.()
      }
    }
  }

  /** For those who try again by themselves, and have done so for long enough. */
  tooBusy(): Unavailable {
    const {file, key, service} = this.origin
    return new Unavailable(`${file}: ${key}: ${service} did not keep up with the requests: try again later`)
  }

  [Symbol.dispose](): void {
    this.#client.destroy()
  }
}

/** Up to 50 ms the first time, then up to twice as long each time, 2 s at most: at random, so that many don't meet again. */
export const pause = (attempt: number): Promise<void> =>
  sleep(Math.random() * Math.min(2000, 25 * 2 ** Math.min(attempt, 10)))

export function originOf(settings: DynamoSettings, file: string): DynamoOrigin {
  const {host, regionName = 'us-east-1'} = settings
  return host === undefined
    ? {file, service: `DynamoDB in AWS region ${regionName}`, key: 'db.region_name'}
    : {file, service: `DynamoDB at ${endpointOf(settings) ?? host}`, key: 'db.host'}
}

const endpointOf = ({host, port, secure}: DynamoSettings): string | undefined =>
  host === undefined ? undefined : `http${secure ? 's' : ''}://${host}:${port}`

function clientConfig(settings: DynamoSettings): DynamoDBClientConfig {
  const {accessKeyId, secretAccessKey, sessionToken, regionName} = settings
  const endpoint = endpointOf(settings)
  return {
    region: regionName ?? 'us-east-1', // of a local DynamoDB, which signatures need and nobody looks at
    ...(endpoint === undefined ? {} : {endpoint}),
    ...(accessKeyId !== undefined && secretAccessKey !== undefined
      ? {credentials: {accessKeyId, secretAccessKey, ...(sessionToken === undefined ? {} : {sessionToken})}}
      : {}),
    maxAttempts: 1, // ours, above
    requestHandler: new NodeHttpHandler({
      connectionTimeout: 3000,
      requestTimeout: 15_000,
      throwOnRequestTimeout: true,
      httpAgent: {maxSockets: connections, keepAlive: true},
      httpsAgent: {maxSockets: connections, keepAlive: true},
    }),
  }
}
