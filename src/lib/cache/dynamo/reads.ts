import {
  BatchGetItemCommand,
  QueryCommand,
  ScanCommand,
  type KeysAndAttributes,
  type QueryCommandInput,
  type ScanCommandInput,
} from '@aws-sdk/client-dynamodb'
import pLimit from 'p-limit'
import {pause, type DynamoClient} from './client.js'
import type {Item} from './items.js'

const keysPerBatch = 100
const batchesAtOnce = 8
const mostAttempts = 30
/** A page of DynamoDB's own size, a megabyte, is thirty in this process until it is read, and several come at once. */
const itemsPerPage = 2000

/** What to read of a table. */
export interface Wanted {
  readonly table: string
  readonly keys: readonly Item[]
  /** Names of attributes; all of them by default. */
  readonly only?: readonly string[]
}

/** Items by key, in no order, by consistent reads. Those that are not there are left out. Keys must differ. */
export async function getItems(
  client: DynamoClient,
  ...wanted: readonly Wanted[]
): Promise<Map<string, Item[]>> {
  const found = new Map<string, Item[]>(wanted.map(({table}) => [table, []]))
  const limit = pLimit(batchesAtOnce)
  await Promise.all(
    batches(wanted).map(batch =>
      limit(async () => {
        let open: Record<string, KeysAndAttributes> = batch
        for (let attempt = 1; Object.keys(open).length > 0; attempt += 1) {
          const answer = await client.send(new BatchGetItemCommand({RequestItems: open}))
          for (const [table, items] of Object.entries(answer.Responses ?? {}))
            found.get(table)?.push(...items)
          open = answer.UnprocessedKeys ?? {}
          if (Object.keys(open).length === 0) return
          if (attempt > mostAttempts) throw client.tooBusy()
          await pause(attempt)
        }
      }),
    ),
  )
  return found
}

/** Of one table. */
export const getItemsOf = async (client: DynamoClient, wanted: Wanted): Promise<Item[]> =>
  (await getItems(client, wanted)).get(wanted.table) ?? []

function batches(wanted: readonly Wanted[]): Record<string, KeysAndAttributes>[] {
  const made: Record<string, KeysAndAttributes>[] = []
  let room = 0
  let batch: Record<string, KeysAndAttributes> = {}
  for (const {table, keys, only} of wanted) {
    for (let start = 0; start < keys.length;) {
      if (room === 0) {
        made.push((batch = {}))
        room = keysPerBatch
      }
      const part = keys.slice(start, start + room)
      batch[table] = {Keys: [...part], ConsistentRead: true, ...projection(only)}
      start += part.length
      room -= part.length
    }
  }
  return made
}

/** Every name by a placeholder: many of DynamoDB's reserved words are ours, `name` for one. */
export const projection = (only: readonly string[] | undefined) =>
  only
    ? {
        ProjectionExpression: only.map((_, index) => `#p${index}`).join(),
        ExpressionAttributeNames: Object.fromEntries(only.map((name, index) => [`#p${index}`, name])),
      }
    : {}

/** Pages of a query, all of them. */
export async function* queryPages(client: DynamoClient, input: QueryCommandInput): AsyncGenerator<Item[]> {
  let from: Item | undefined
  do {
    const page = await client.send(new QueryCommand({...input, ...(from ? {ExclusiveStartKey: from} : {})}))
    yield page.Items ?? []
    from = page.LastEvaluatedKey
  } while (from)
}

/** How many items a query finds. */
export async function queryCount(client: DynamoClient, input: QueryCommandInput): Promise<number> {
  let count = 0
  let from: Item | undefined
  do {
    const page = await client.send(
      new QueryCommand({...input, Select: 'COUNT', ...(from ? {ExclusiveStartKey: from} : {})}),
    )
    count += page.Count ?? 0
    from = page.LastEvaluatedKey
  } while (from)
  return count
}

/** A whole table in pages. @param segments read at once, so that a large table takes less time. */
export async function scan(
  client: DynamoClient,
  input: ScanCommandInput,
  segments: number,
  onPage: (items: Item[], count: number) => void,
): Promise<void> {
  await Promise.all(
    Array.from({length: segments}, async (_, segment) => {
      const part = {
        ...(segments > 1 && {Segment: segment, TotalSegments: segments}),
        ...(!input.Select && !input.ProjectionExpression && {Limit: itemsPerPage}),
      }
      let from: Item | undefined
      do {
        const page = await client.send(
          new ScanCommand({...input, ...part, ...(from ? {ExclusiveStartKey: from} : {})}),
        )
        onPage(page.Items ?? [], page.Count ?? 0)
        from = page.LastEvaluatedKey
      } while (from)
    }),
  )
}

/** For `scan`, when a table has about so many bytes. */
export const segmentsFor = (bytes: number): number => Math.min(8, 1 + Math.floor(bytes / 4_000_000))
