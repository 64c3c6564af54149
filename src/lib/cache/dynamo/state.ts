import {DeleteItemCommand, PutItemCommand, ScanCommand} from '@aws-sdk/client-dynamodb'
import type {DynamoClient} from './client.js'
import {textOf, type Item} from './items.js'
import type {DynamoLock} from './lock.js'
import type {Step} from './plan.js'
import {getItemsOf} from './reads.js'
import {ours, type TableIdentity, type Tables} from './tables.js'
import {StepWriter, untilDone} from './writes.js'

/**
 * Facts of ours about pypicloud's tables, each with the tables it was written for:
 * ```
 * facts  fact:KEY  value, tables
 * facts  emptied   the last file was removed by us
 * ```
 */
export class DynamoState {
  readonly #writer: StepWriter

  constructor(
    private readonly client: DynamoClient,
    private readonly tables: Tables,
    private readonly identity: TableIdentity,
  ) {
    this.#writer = new StepWriter(client, tables)
  }

  /** Nothing once a table was dropped, or emptied by others than us: what we knew was about other items. */
  async get(key: string): Promise<string | undefined> {
    const [fact, emptied] = [keyOf(`fact:${key}`), keyOf('emptied')]
    const [items, identity, isEmpty] = await Promise.all([
      getItemsOf(this.client, {table: this.tables.ours, keys: [fact, emptied]}),
      this.identity.read(),
      this.#isEmpty(),
    ])
    const found = items.find(item => textOf(item, 'name') === textOf(fact, 'name'))
    const isOurDoing = items.some(item => textOf(item, 'name') === 'emptied')
    return textOf(found, 'tables') === identity && (!isEmpty || isOurDoing)
      ? textOf(found, 'value')
      : undefined
  }

  async set(key: string, value: string | undefined, lock?: DynamoLock): Promise<void> {
    const TableName = this.tables.ours
    const fact = keyOf(`fact:${key}`)
    const tables = {S: await this.identity.read()}
    const steps: Step[] =
      value === undefined
        ? [{order: 'claim', write: {Delete: {TableName, Key: fact}}}]
        : [{order: 'claim', write: {Put: {TableName, Item: {...fact, value: {S: value}, tables}}}}]
    if (value !== undefined && (await this.#isEmpty())) {
      steps.push({order: 'name', write: {Put: {TableName, Item: keyOf('emptied')}}})
    }
    await untilDone(this.client, async () => {
      const {outcome} = await this.#writer.write(steps, lock?.guard(0))
      return outcome === 'done' ? true : undefined
    })
  }

  /** Before files are written: an empty table is no longer our doing. */
  async willHaveFiles(): Promise<void> {
    const emptied = keyOf('emptied')
    const found = await getItemsOf(this.client, {table: this.tables.ours, keys: [emptied]})
    if (found.length === 0) return
    await this.client.send(new DeleteItemCommand({TableName: this.tables.ours, Key: emptied}))
  }

  /** After projects have gone: so that a table that we emptied is told from one that others did. */
  async noteIfEmpty(): Promise<void> {
    if (!(await this.#isEmpty())) return
    await this.client.send(new PutItemCommand({TableName: this.tables.ours, Item: keyOf('emptied')}))
  }

  async #isEmpty(): Promise<boolean> {
    const page = await this.client.send(
      new ScanCommand({TableName: this.tables.projects, ConsistentRead: true, Limit: 1}),
    )
    return (page.Items ?? []).length === 0
  }
}

const keyOf = (name: string): Item => ({part: {S: ours.facts}, name: {S: name}})
