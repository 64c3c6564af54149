import {setTimeout as sleep} from 'node:timers/promises'
import {DeleteItemCommand} from '@aws-sdk/client-dynamodb'
import {numberOf, textOf, type Item} from './items.js'
import {summaryCondition} from './conditions.js'
import type {DynamoClient} from './client.js'
import {getItems, getItemsOf, projection, queryPages, scan} from './reads.js'
import {filesByProject, ours, type Tables} from './tables.js'

/**
 * The items of a project's files, by file name. The index of pypicloud's table gives names that may be a moment old,
 * our own table the names of all that we wrote; the files themselves are read consistently. So what we wrote shows at
 * once, and what pypicloud wrote as soon as its index has it.
 */
export async function readProject(
  client: DynamoClient,
  tables: Tables,
  project: string,
): Promise<Map<string, Item>> {
  const names = new Set<string>()
  await Promise.all([
    collect(names, 'filename', client, {
      TableName: tables.files,
      IndexName: filesByProject,
      ...keyIs('name', project),
    }),
    collect(names, 'name', client, {
      TableName: tables.ours,
      ConsistentRead: true,
      ...keyIs('part', ours.filesOf(project)),
    }),
  ])
  const keys = Array.from(names, filename => ({filename: {S: filename}}))
  const items = await getItemsOf(client, {table: tables.files, keys})
  return byFilename(items.filter(item => textOf(item, 'name') === project))
}

const byFilename = (items: readonly Item[]) =>
  new Map(items.map(item => [textOf(item, 'filename') ?? '', item]))

async function collect(
  names: Set<string>,
  attribute: string,
  client: DynamoClient,
  input: Parameters<typeof queryPages>[1],
): Promise<void> {
  for await (const items of queryPages(client, input)) {
    for (const item of items) names.add(textOf(item, attribute) ?? '')
  }
}

export const keyIs = (attribute: string, value: string) => ({
  KeyConditionExpression: '#k = :k',
  ExpressionAttributeNames: {'#k': attribute},
  ExpressionAttributeValues: {':k': {S: value}},
})

/** The item of a project, and how often we have written it. */
export async function readProjects(
  client: DynamoClient,
  tables: Tables,
  projects: readonly string[],
): Promise<{summaries: Map<string, Item>; versions: Map<string, number>}> {
  const found = await getItems(
    client,
    {table: tables.projects, keys: projects.map(name => ({name: {S: name}}))},
    {table: tables.ours, keys: projects.map(name => versionKey(name))},
  )
  const summaries = new Map<string, Item>()
  const versions = new Map<string, number>()
  for (const item of found.get(tables.projects) ?? []) summaries.set(textOf(item, 'name') ?? '', item)
  for (const item of found.get(tables.ours) ?? []) {
    versions.set((textOf(item, 'part') ?? '').slice(ours.writesOf('').length), numberOf(item, 'version') ?? 0)
  }
  return {summaries, versions}
}

export const versionKey = (project: string): Item => ({part: {S: ours.writesOf(project)}, name: {S: '-'}})

/** How long the index may take to show a file whose project is there. */
const indexPausesMs = [50, 100, 200, 400]

/**
 * RULES 7: the project's item says "ours", and neither the index nor we know a file of it. Either pypicloud has just
 * written it, or it left the item behind with the last file, which happens whenever its index was slow. The answer is
 * given by the whole table, once: an item without files is removed, if nobody writes it meanwhile.
 */
export async function findFilesOf(
  client: DynamoClient,
  tables: Tables,
  project: string,
  summary: Item,
): Promise<Map<string, Item>> {
  for (const pauseMs of indexPausesMs) {
    await sleep(pauseMs)
    const found = await readProject(client, tables, project)
    if (found.size > 0) return found
  }
  const names: string[] = []
  const only = projection(['filename'])
  await scan(
    client,
    {
      TableName: tables.files,
      ConsistentRead: true,
      ...only,
      FilterExpression: '#n = :n',
      ExpressionAttributeNames: {...only.ExpressionAttributeNames, '#n': 'name'},
      ExpressionAttributeValues: {':n': {S: project}},
    },
    4,
    items => names.push(...items.map(item => textOf(item, 'filename') ?? '')),
  )
  const keys = names.map(filename => ({filename: {S: filename}}))
  const items = await getItemsOf(client, {table: tables.files, keys})
  if (items.length === 0) await removeSummary(client, tables, project, summary)
  return byFilename(items)
}

async function removeSummary(
  client: DynamoClient,
  tables: Tables,
  project: string,
  summary: Item,
): Promise<void> {
  try {
    await client.send(
      new DeleteItemCommand({
        TableName: tables.projects,
        Key: {name: {S: project}},
        ...summaryCondition(summary),
      }),
    )
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'ConditionalCheckFailedException') throw error
  }
}
