import {randomUUID} from 'node:crypto'
import type {Agent as HttpsAgent} from 'node:https'
import {
  CreateSecretCommand,
  GetSecretValueCommand,
  PutSecretValueCommand,
  SecretsManagerClient,
  UpdateSecretCommand,
  UpdateSecretVersionStageCommand,
  type SecretsManagerClientConfig,
} from '@aws-sdk/client-secrets-manager'
import {NodeHttpHandler} from '@smithy/node-http-handler'
import {sayNothingOfNodeVersion} from '../../aws-node-version.js'
import {agentFor, environmentProxy, type Scheme} from '../../proxies.js'
import {DatabaseFailed} from '../../sql/failures.js'
import {explainSecretsManager, nameOf, type SecretOrigin} from './failures.js'
import {retries} from './retries.js'
import type {SecretSettings} from './settings.js'

/** A version of the secret. */
export interface SecretVersion {
  readonly id: string
  readonly text: string
}

/** Of versions that are written and not yet the current one. Each write takes it over from the one before. */
const nextStage = 'PPC_NEXT'

/**
 * The secret, and the one way in which it is changed so that no change of another is undone: a new version is written
 * without being the current one, and then AWS moves its label AWSCURRENT, but only from the version that we had read:
 *
 *     GetSecretValue AWSCURRENT → v1
 *     PutSecretValue v2, labelled PPC_NEXT
 *     UpdateSecretVersionStage AWSCURRENT from v1 to v2     refused when it is no longer at v1
 *
 * pypicloud's UpdateSecret moves the label too, unconditionally: we never undo its changes, it may undo ours.
 */
export class Secret implements Disposable {
  readonly #client: SecretsManagerClient
  #hasKey: boolean

  constructor(
    private readonly settings: SecretSettings,
    readonly origin: SecretOrigin,
  ) {
    sayNothingOfNodeVersion()
    this.#client = new SecretsManagerClient(clientConfig(settings))
    this.#hasKey = settings.values.kmsKeyId === undefined
  }

  /**
   * Undefined while there is no secret, or none with a value: the first change makes it, as in pypicloud.
   * @throws {DatabaseFailed} where it is named by an ARN, under which none can be made
   */
  async read(): Promise<SecretVersion | undefined> {
    const found = await this.#explained(() => this.#read('AWSCURRENT'))
    const {place, secret} = this.origin
    if (!found && this.#id.startsWith('arn:')) {
      throw new DatabaseFailed(`${place('auth.secret_id')}: ${secret} is not there, or has no value`)
    }
    return found
  }

  /** @returns whether it was written: not when the secret is no longer what `seen` says, or is there against it. */
  replace(seen: SecretVersion | undefined, text: string): Promise<boolean> {
    return this.#explained(() => (seen ? this.#move(seen, text) : this.#create(text)))
  }

  async #read(VersionStage: string): Promise<SecretVersion | undefined> {
    try {
      const {VersionId, SecretString} = await this.#client.send(
        new GetSecretValueCommand({SecretId: this.#id, VersionStage}),
      )
      if (SecretString !== undefined) return {id: VersionId ?? '', text: SecretString}
    } catch (error) {
      if (nameOf(error) === 'ResourceNotFoundException') return undefined
      throw error
    }
    const {place, secret} = this.origin
    throw new DatabaseFailed(`${place('auth.secret_id')}: ${secret} holds bytes instead of text`)
  }

  async #move(seen: SecretVersion, text: string): Promise<boolean> {
    await this.#useKey()
    const id = await this.#put(text)
    try {
      await this.#client.send(
        new UpdateSecretVersionStageCommand({
          SecretId: this.#id,
          VersionStage: 'AWSCURRENT',
          RemoveFromVersionId: seen.id,
          MoveToVersionId: id,
        }),
      )
      return true
    } catch (error) {
      // AWS refuses a move that was done: when the answer to it was lost, and the SDK asked again
      if (await this.#wasCurrent(id)) return true
      const {name} = error as Error
      if (name === 'InvalidParameterException' || name === 'InvalidRequestException') return false
      throw error
    }
  }

  async #create(text: string): Promise<boolean> {
    const {secretId: Name, kmsKeyId: KmsKeyId} = this.settings.values
    const ClientRequestToken = randomUUID()
    try {
      await this.#client.send(
        new CreateSecretCommand({Name, ClientRequestToken, SecretString: text, ...(KmsKeyId && {KmsKeyId})}),
      )
      return true
    } catch (error) {
      if (nameOf(error) !== 'ResourceExistsException') throw error
    }
    const current = await this.#read('AWSCURRENT')
    if (current) return current.id === ClientRequestToken
    // made without a value, by hand or by CloudFormation: AWS labels the first version AWSCURRENT by itself
    return this.#wasCurrent(await this.#put(text))
  }

  async #put(text: string): Promise<string> {
    const ClientRequestToken = randomUUID() // the version's ID: written again after a lost answer it is the same version
    await this.#client.send(
      new PutSecretValueCommand({
        SecretId: this.#id,
        ClientRequestToken,
        SecretString: text,
        VersionStages: [nextStage],
      }),
    )
    return ClientRequestToken
  }

  /** Of a version of ours: it is the current one, or was and another came after it. */
  async #wasCurrent(id: string): Promise<boolean> {
    if ((await this.#read('AWSCURRENT'))?.id === id) return true
    return (await this.#read('AWSPREVIOUS'))?.id === id
  }

  /** A secret that was encrypted otherwise is encrypted by `auth.kms_key_id` from its first change on, as pypicloud does. */
  async #useKey(): Promise<void> {
    const {kmsKeyId: KmsKeyId} = this.settings.values
    if (this.#hasKey || KmsKeyId === undefined) return
    await this.#client.send(new UpdateSecretCommand({SecretId: this.#id, KmsKeyId}))
    this.#hasKey = true
  }

  get #id(): string {
    return this.settings.values.secretId
  }

  async #explained<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      throw explainSecretsManager(error, this.origin)
    }
  }

  [Symbol.dispose](): void {
    this.#client.destroy()
  }
}

/** Where the config names no key the SDK asks the environment, profiles, web identity, containers and the instance. */
function clientConfig({values, region}: SecretSettings): SecretsManagerClientConfig {
  const {accessKeyId, secretAccessKey, sessionToken, profileName, endpointUrl} = values
  const host =
    endpointUrl !== undefined && URL.canParse(endpointUrl) ? new URL(endpointUrl).hostname : 'amazonaws.com'
  const agentOf = (scheme: Scheme) => agentFor(scheme, environmentProxy(scheme, host), {keepAlive: true})
  return {
    ...(region !== undefined && {region}),
    ...(profileName !== undefined && {profile: profileName}),
    ...(endpointUrl !== undefined && {endpoint: endpointUrl}),
    ...(accessKeyId !== undefined &&
      secretAccessKey !== undefined && {
        credentials: {accessKeyId, secretAccessKey, ...(sessionToken !== undefined && {sessionToken})},
      }),
    retryStrategy: retries(),
    requestHandler: new NodeHttpHandler({
      httpAgent: agentOf('http'),
      // eslint-disable-next-line @typescript-eslint/no-unsafe-class-instance-assignment -- any agent that can be destroyed does
      httpsAgent: agentOf('https') as HttpsAgent,
      connectionTimeout: 3000,
      requestTimeout: 10_000,
      throwOnRequestTimeout: true,
    }),
  }
}
