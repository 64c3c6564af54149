import {setTimeout as sleep} from 'node:timers/promises'
import {IAMClient} from '@aws-sdk/client-iam'
import {LambdaClient} from '@aws-sdk/client-lambda'
import {S3Client} from '@aws-sdk/client-s3'
import {SQSClient} from '@aws-sdk/client-sqs'
import {sayNothingOfNodeVersion} from '../../aws-node-version.js'
import {explainAws, isNamed} from './failures.js'

export interface AwsOptions {
  readonly region: string
  /** Changes nothing: calls that would are told only. */
  readonly dryRun: boolean
  /** A call that changes something, and its input, before it is made. */
  readonly onChange: (action: string, input: object) => void
  readonly signal?: AbortSignal | undefined
}

/** How long what was just made may stay unknown elsewhere in AWS. */
const settlesMs = 90_000

/** The services that a set-up talks to, with the credentials of the environment. */
export class Aws implements Disposable {
  readonly iam: IAMClient
  readonly lambda: LambdaClient
  readonly s3: S3Client
  readonly sqs: SQSClient

  constructor(private readonly options: AwsOptions) {
    sayNothingOfNodeVersion()
    const {region} = options
    this.iam = new IAMClient({region})
    this.lambda = new LambdaClient({region})
    this.s3 = new S3Client({region, followRegionRedirects: true})
    this.sqs = new SQSClient({region})
  }

  get dryRun(): boolean {
    return this.options.dryRun
  }

  /** A call that only looks. @throws {AwsFailed} {Unavailable} */
  async read<Output>(action: string, resource: string, send: () => Promise<Output>): Promise<Output> {
    try {
      this.options.signal?.throwIfAborted()
      return await send()
    } catch (error) {
      throw explainAws(error, action, resource)
    }
  }

  /** As `read`, of what may be missing. @param missing what the SDK's error is called then. */
  async find<Output>(
    action: string,
    resource: string,
    missing: readonly string[],
    send: () => Promise<Output>,
  ): Promise<Output | undefined> {
    try {
      return await this.read(action, resource, send)
    } catch (error) {
      if (isNamed(error, ...missing)) return undefined
      throw error
    }
  }

  /** A call that changes something. @returns undefined in a dry run. @throws {AwsFailed} {Unavailable} */
  async change<Command extends {readonly input: object}, Output>(
    action: string,
    resource: string,
    command: Command,
    send: (command: Command) => Promise<Output>,
  ): Promise<Output | undefined> {
    this.options.onChange(action, command.input)
    return this.options.dryRun ? undefined : this.read(action, resource, () => send(command))
  }

  /** Tries again while what was made a moment ago is not known everywhere, as IAM's roles are not for some seconds. */
  async settled<T>(attempt: () => Promise<T>, isUnsettled: (error: unknown) => boolean): Promise<T> {
    const giveUpAt = performance.now() + settlesMs
    for (let pauseMs = 500; ; pauseMs = Math.min(5000, pauseMs * 1.5)) {
      try {
        return await attempt()
      } catch (error) {
        if (!isUnsettled(error) || performance.now() > giveUpAt) throw error
      }
      await sleep(pauseMs, undefined, {signal: this.options.signal})
    }
  }

  [Symbol.dispose](): void {
    for (const client of [this.iam, this.lambda, this.s3, this.sqs]) client.destroy()
  }
}
