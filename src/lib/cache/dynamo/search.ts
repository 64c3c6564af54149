import pLimit from 'p-limit'
import type {DistFile} from '../../packaging/dist-file.js'
import type {SearchCriteria, SearchOperator} from '../cache.js'
import type {DynamoClient} from './client.js'
import {fileOfItem, textOf} from './items.js'
import {readProject} from './project.js'
import {projection, scan} from './reads.js'
import type {Tables} from './tables.js'
import {keepNewest, matches} from '../search.js'

/** Up to so many projects are looked at one by one; beyond, a scan of all files costs less. */
const projectsOneByOne = 50

type Row = Pick<DistFile, 'filename' | 'name' | 'version' | 'summary'>

/**
 * File names of the newest matching file of each project. DynamoDB can't compare without case, so the texts are compared
 * here: names alone with the table of projects, anything else with every file. Memory: a row a project.
 */
export async function searchFilenames(
  client: DynamoClient,
  tables: Tables,
  criteria: SearchCriteria,
  operator: SearchOperator,
  segments: number,
): Promise<string[]> {
  const newest = new Map<string, Row>()
  const take = (row: Row) => {
    if (matches(row, criteria, operator)) keepNewest(newest, row)
  }
  const projects = await matchingProjects(client, tables, criteria, operator, segments)
  if (projects && projects.length <= projectsOneByOne) {
    const limit = pLimit(8)
    await Promise.all(
      projects.map(project =>
        limit(async () => {
          for (const item of (await readProject(client, tables, project)).values()) {
            const file = fileOfItem(item)
            if (file) take(file)
          }
        }),
      ),
    )
  } else {
    const only = projection(['filename', 'name', 'version', 'summary'])
    await scan(client, {TableName: tables.files, ConsistentRead: true, ...only}, segments, items => {
      for (const item of items) {
        const file = fileOfItem(item)
        if (file) take(file)
      }
    })
  }
  return Array.from(newest.values(), ({filename}) => filename)
}

/** Undefined where names alone don't decide. */
async function matchingProjects(
  client: DynamoClient,
  tables: Tables,
  criteria: SearchCriteria,
  operator: SearchOperator,
  segments: number,
): Promise<string[] | undefined> {
  if (!criteria.name?.length || criteria.summary?.length) return undefined
  const names: string[] = []
  const only = projection(['name'])
  await scan(client, {TableName: tables.projects, ConsistentRead: true, ...only}, segments, items => {
    for (const item of items) {
      const name = textOf(item, 'name')
      const row = {filename: '', version: '', summary: null, name: name ?? ''}
      if (name !== undefined && matches(row, criteria, operator)) names.push(name)
    }
  })
  return names
}
