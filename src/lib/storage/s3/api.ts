import type {S3Client} from '@aws-sdk/client-s3'
import {connectionsOf, proxyOf, schemeOf, type Connections} from './agents.js'
import {DirectConnections} from './direct-connections.js'
import {bucketAddress, type Address} from './object-url.js'
import type {S3Settings} from './settings.js'
import type {Signer} from './signature.js'

/** The AWS SDK, and a client of it. */
export type S3Sdk = typeof import('./sdk.js') & {readonly client: S3Client}

/**
 * How a service is asked: by quick requests, and by the SDK where those got no answer that was hoped for, over the same
 * connections. A command that needs nothing but quick requests starts in two thirds of the time, as it never loads the SDK.
 */
export class S3Api {
  readonly connections: Connections
  #client: S3Client | undefined
  #sdk: Promise<S3Sdk> | undefined
  #address: Address | undefined
  #direct: DirectConnections | undefined

  constructor(
    private readonly settings: S3Settings,
    readonly region: string,
  ) {
    this.connections = connectionsOf(settings)
  }

  /** Of the bucket. */
  get address(): Address {
    return (this.#address ??= bucketAddress(this.settings, this.region))
  }

  /** Undefined where a proxy is in between: requests to it have another form. */
  get direct(): DirectConnections | undefined {
    return (this.#direct ??= this.#connect())
  }

  sdk(): Promise<S3Sdk> {
    return (this.#sdk ??= this.#load())
  }

  /** Those of the config; without any, the SDK asks environment, profiles, web identity, containers and the instance. */
  async credentials(): Promise<Signer> {
    const {accessKeyId, secretAccessKey, sessionToken} = this.settings.values
    if (accessKeyId !== undefined && secretAccessKey !== undefined)
      return {accessKeyId, secretAccessKey, sessionToken}
    const {client} = await this.sdk()
    return client.config.credentials()
  }

  /** What this machine's clock lacks, in milliseconds, as the SDK has learnt it from answers. */
  get clockOffset(): number {
    return this.#client?.config.systemClockOffset ?? 0
  }

  destroy(): void {
    this.#client?.destroy()
    this.#direct?.destroy()
    for (const agent of [this.connections.httpAgent, this.connections.httpsAgent]) agent.destroy()
  }

  #connect(): DirectConnections | undefined {
    const scheme = schemeOf(this.settings)
    if (proxyOf(scheme, this.settings) !== undefined) return undefined
    const {httpAgent, httpsAgent} = this.connections
    return new DirectConnections(scheme === 'https' ? httpsAgent : httpAgent, this.address, this.connections)
  }

  async #load(): Promise<S3Sdk> {
    const sdk = await import('./sdk.js')
    this.#client = sdk.s3Client(this.settings, this.region, this.connections)
    return {...sdk, client: this.#client}
  }
}
