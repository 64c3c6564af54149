import {
  DeleteItemCommand,
  PutItemCommand,
  TransactWriteItemsCommand,
  TransactionCanceledException,
  UpdateItemCommand,
  type TransactWriteItem,
} from '@aws-sdk/client-dynamodb'
import {randomUUID} from 'node:crypto'
import pLimit from 'p-limit'
import {pause, type DynamoClient} from './client.js'
import {numberOf, textOf} from './items.js'
import type {Step} from './plan.js'
import {getItemsOf} from './reads.js'
import type {Tables} from './tables.js'

/** Of DynamoDB, for one transaction. */
export const mostSteps = 100

/** A check that goes with every step of a write under a lock. */
export interface Guard {
  readonly check: TransactWriteItem
  /** @throws {LockLost} by a read of its own. */
  verify(): Promise<void>
  /** @throws {LockLost} */
  lost(): never
}

/**
 * `again`: something is no longer what was read. `files`: those that were written in spite of it, or perhaps were: they are
 * if their rows are as wanted.
 */
export type Written =
  {readonly outcome: 'done'} | {readonly outcome: 'again'; readonly files: readonly string[]}

/** Takes the steps of a plan: in one transaction, or one by one where the service has none. */
export class StepWriter {
  #hasTransactions = true

  constructor(
    private readonly client: DynamoClient,
    private readonly tables: Tables,
  ) {}

  async write(steps: readonly Step[], guard?: Guard): Promise<Written> {
    if (this.#hasTransactions) {
      try {
        return await this.#inTransaction(steps, guard)
      } catch (error) {
        if (!isUnknownOperation(error)) throw error
        this.#hasTransactions = false
      }
    }
    return this.#oneByOne(steps, guard)
  }

  async #inTransaction(steps: readonly Step[], guard: Guard | undefined): Promise<Written> {
    const writes = steps.map(({write}) => write)
    try {
      await this.client.send(
        new TransactWriteItemsCommand({
          TransactItems: guard ? [guard.check, ...writes] : writes,
          ClientRequestToken: randomUUID(), // asked again after a broken connection, it happens once
        }),
      )
      return {outcome: 'done'}
    } catch (error) {
      if (!(error instanceof TransactionCanceledException)) throw error
      const codes = (error.CancellationReasons ?? []).map(({Code: code}) => code ?? 'None')
      if (guard && codes[0] === 'ConditionalCheckFailed') guard.lost()
      if (!codes.every(code => isPassing.has(code))) throw error
      return {outcome: 'again', files: []}
    }
  }

  /**
   * For services without transactions. The order keeps "is it ours?" right for those who read meanwhile, and who finds
   * at the end that somebody else has begun on the same project begins anew, until one of them has seen it whole.
   */
  async #oneByOne(steps: readonly Step[], guard: Guard | undefined): Promise<Written> {
    const files: string[] = []
    const limit = pLimit(16)
    for (const order of ['claim', 'project', 'name', 'file', 'name gone', 'project gone'] as const) {
      await guard?.verify()
      const results = await Promise.all(
        steps
          .filter(step => step.order === order)
          .map(step =>
            limit(async () => {
              const single = await this.#single(step.write)
              if (single !== 'refused' && step.filename !== undefined) files.push(step.filename)
              return single === 'done'
            }),
          ),
      )
      if (!results.every(Boolean)) return {outcome: 'again', files}
    }
    return (await this.#isStillOurs(steps)) ? {outcome: 'done'} : {outcome: 'again', files}
  }

  /**
   * @returns 'unsure' when its condition fails, but it was sent before and that answer was lost: perhaps its condition is
   * no longer met because it was met.
   */
  async #single({
    Put: put,
    Delete: remove,
    Update: update,
  }: TransactWriteItem): Promise<'done' | 'refused' | 'unsure'> {
    let sendings = 1
    const onRepeat = () => (sendings += 1)
    try {
      if (put) await this.client.send(new PutItemCommand(put), onRepeat)
      if (remove) await this.client.send(new DeleteItemCommand(remove), onRepeat)
      if (update) await this.client.send(new UpdateItemCommand(update), onRepeat)
      return 'done'
    } catch (error) {
      if (isConditionFailure(error)) return sendings > 1 ? 'unsure' : 'refused'
      throw error
    }
  }

  async #isStillOurs(steps: readonly Step[]): Promise<boolean> {
    const claims = steps.flatMap(({order, write}) =>
      order === 'claim' && write.Update ? [write.Update] : [],
    )
    const keys = claims.map(claim => claim.Key ?? {})
    const found = await getItemsOf(this.client, {table: this.tables.ours, keys})
    const versions = new Map(found.map(item => [textOf(item, 'part'), numberOf(item, 'version')]))
    return claims.every(
      ({Key: key, ExpressionAttributeValues: values}) =>
        versions.get(textOf(key, 'part')) === numberOf(values, ':next'),
    )
  }
}

/** Why a transaction may succeed the next time. */
const isPassing = new Set([
  ...['None', 'ConditionalCheckFailed', 'TransactionConflict'],
  ...['ThrottlingError', 'ProvisionedThroughputExceeded'],
])

export const isConditionFailure = (error: unknown): boolean =>
  error instanceof Error && error.name === 'ConditionalCheckFailedException'

const isUnknownOperation = (error: unknown): boolean =>
  error instanceof Error && /^UnknownOperation/.test(error.name)

/** Does it until it is done, with growing pauses. @throws {Unavailable} after half a minute. */
export async function untilDone<T>(client: DynamoClient, attempt: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + 30_000
  for (let tries = 1; ; tries += 1) {
    const result = await attempt()
    if (result !== undefined) return result
    if (performance.now() > deadline) throw client.tooBusy()
    await pause(tries)
  }
}
