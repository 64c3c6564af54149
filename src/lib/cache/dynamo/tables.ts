import {setTimeout as sleep} from 'node:timers/promises'
import {
  CreateTableCommand,
  DescribeTableCommand,
  type CreateTableCommandInput,
  type TableDescription,
} from '@aws-sdk/client-dynamodb'
import {Unavailable} from '../../errors.js'
import {DatabaseFailed} from '../../sql/failures.js'
import type {DynamoClient, DynamoSettings} from './client.js'

/**
 * ```
 * files     DynamoPackage            filename        pypicloud's, index name-index by name
 * projects  PackageSummary           name            pypicloud's
 * ours      DynamoPackagePpcToolkit  part, name      see `ours` below
 * ```
 * All begin with `db.namespace`. The third is ours alone: pypicloud reads every item of its own two.
 */
export interface Tables {
  readonly files: string
  readonly projects: string
  readonly ours: string
}

export const filesByProject = 'name-index'

/** The parts of our table. What follows the colon is the part's own name; `name` is the sort key. */
export const ours = {
  /** One item a file: what the index of the files' table will know a moment later. */
  filesOf: (project: string) => `files:${project}`,
  /** `version` counts the writes of a project, under `-`. */
  writesOf: (project: string) => `writes:${project}`,
  /** All writes, under `-`, in `version`. */
  allWrites: 'writes',
  lock: (name: string) => `lock:${name}`,
  facts: 'facts',
} as const

export const tablesOf = ({namespace, tablenames}: DynamoSettings): Tables => {
  const [files = 'DynamoPackage', projects = 'PackageSummary'] = tablenames.map(name => `${namespace}${name}`)
  return {files, projects, ours: `${files}PpcToolkit`}
}

/** Creates what is missing and waits until all can be used. Tables that are there stay as they are. */
export async function createTables(client: DynamoClient, tables: Tables): Promise<void> {
  const {settings} = client
  const capacity =
    settings.billing === 'provisioned'
      ? {
          ProvisionedThroughput: {
            ReadCapacityUnits: settings.readCapacity,
            WriteCapacityUnits: settings.writeCapacity,
          },
        }
      : undefined
  const common = capacity
    ? {BillingMode: 'PROVISIONED' as const, ...capacity}
    : {BillingMode: 'PAY_PER_REQUEST' as const}
  await Promise.all([
    provide(client, {
      TableName: tables.files,
      ...common,
      AttributeDefinitions: texts('filename', 'name'),
      KeySchema: [{AttributeName: 'filename', KeyType: 'HASH'}],
      GlobalSecondaryIndexes: [
        {
          IndexName: filesByProject,
          KeySchema: [{AttributeName: 'name', KeyType: 'HASH'}],
          Projection: {ProjectionType: 'ALL'},
          ...capacity,
        },
      ],
    }),
    provide(client, {
      TableName: tables.projects,
      ...common,
      AttributeDefinitions: texts('name'),
      KeySchema: [{AttributeName: 'name', KeyType: 'HASH'}],
    }),
    provide(client, {
      TableName: tables.ours,
      ...common,
      AttributeDefinitions: texts('part', 'name'),
      KeySchema: [
        {AttributeName: 'part', KeyType: 'HASH'},
        {AttributeName: 'name', KeyType: 'RANGE'},
      ],
    }),
  ])
}

const texts = (...names: string[]) => names.map(name => ({AttributeName: name, AttributeType: 'S' as const}))

const waitMs = 5 * 60_000

async function provide(client: DynamoClient, input: CreateTableCommandInput): Promise<void> {
  const name = input.TableName ?? ''
  const deadline = performance.now() + waitMs
  for (let pauseMs = 20; performance.now() < deadline; pauseMs = Math.min(pauseMs * 2, 2000)) {
    const table = await describe(client, name)
    if (table === undefined) await create(client, input)
    else if (isUsable(table)) {
      requireForm(client, table, input)
      return
    }
    await sleep(pauseMs) // one that is being dropped is created again when it is gone
  }
  throw new Unavailable(
    `${client.origin.file}: ${client.origin.key}: the table ${name} of ${client.origin.service} can't be used yet after five minutes: try again`,
  )
}

const isUsable = ({TableStatus: status, GlobalSecondaryIndexes: indexes = []}: TableDescription): boolean =>
  (status === 'ACTIVE' || status === 'UPDATING') && indexes.every(index => index.IndexStatus !== 'CREATING')

async function create(client: DynamoClient, input: CreateTableCommandInput): Promise<void> {
  try {
    await client.send(new CreateTableCommand(input))
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'ResourceInUseException') throw error // somebody else just did
  }
}

export async function describe(client: DynamoClient, table: string): Promise<TableDescription | undefined> {
  try {
    return (await client.send(new DescribeTableCommand({TableName: table}))).Table
  } catch (error) {
    const {cause} = error as {cause?: unknown}
    if (cause instanceof Error && cause.name === 'ResourceNotFoundException') return undefined
    throw error
  }
}

/** @throws {DatabaseFailed} for a table of that name that is something else. */
function requireForm(client: DynamoClient, table: TableDescription, input: CreateTableCommandInput): void {
  const form = (keys: TableDescription['KeySchema']) =>
    (keys ?? []).map(key => `${key.AttributeName ?? ''} ${key.KeyType ?? ''}`).join()
  const hasIndex = (input.GlobalSecondaryIndexes ?? []).every(({IndexName: name, KeySchema: keys}) =>
    table.GlobalSecondaryIndexes?.some(
      index => index.IndexName === name && form(index.KeySchema) === form(keys),
    ),
  )
  if (form(table.KeySchema) === form(input.KeySchema) && hasIndex) return
  throw new DatabaseFailed(
    `${client.origin.file}: db.tablenames: the table ${table.TableName ?? ''} of ${client.origin.service} has other keys or indexes than pypicloud's: choose other names or another db.namespace`,
  )
}

/**
 * Which tables these are: a table that was dropped and created again is another one, and so is what was known of it.
 * Looked up at most once a second. @throws {Unavailable} when one is not there.
 */
export class TableIdentity {
  #known: Promise<string> | undefined
  #readAt = -Infinity
  /** Bytes of the tables, as DynamoDB estimates them every few hours. */
  fileBytes = 0
  projectBytes = 0

  constructor(
    private readonly client: DynamoClient,
    private readonly tables: Tables,
  ) {}

  read(): Promise<string> {
    const now = performance.now()
    if (this.#known && now - this.#readAt < 1000) return this.#known
    this.#readAt = now
    const reading = this.#read()
    this.#known = reading
    reading.catch(() => {
      if (this.#known === reading) this.#known = undefined
    })
    return reading
  }

  async #read(): Promise<string> {
    const names = [this.tables.files, this.tables.projects]
    const found = await Promise.all(names.map(name => describe(this.client, name)))
    this.fileBytes = found[0]?.TableSizeBytes ?? 0
    this.projectBytes = found[1]?.TableSizeBytes ?? 0
    const ids = found.map((table, index) => {
      if (table && isUsable(table)) return table.TableId ?? String(table.CreationDateTime?.getTime())
      throw new Unavailable(
        `${this.client.origin.file}: ${this.client.origin.key}: the table ${names[index] ?? ''} of ${this.client.origin.service} is being dropped or created, as pypicloud does in a rebuild: if it stays so, restart`,
      )
    })
    return ids.join(' ')
  }
}
