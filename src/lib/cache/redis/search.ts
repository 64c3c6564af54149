import {byCodePoint} from '../../by-code-point.js'
import type {DistFile, ProjectSummary} from '../../packaging/dist-file.js'
import type {SearchCriteria, SearchOperator} from '../cache.js'
import type {RedisReader} from './reader.js'
import {parseSeconds, textOrNull} from './rows.js'
import {keepNewest, matches} from '../search.js'

const rowsAtOnce = 5000

/** A row of a project, and some of its fields. */
interface Fields {
  readonly name: string
  readonly filename: string
  readonly values: readonly (string | null)[]
}

/** As `Cache.search`. Redis has no index of texts: names decide first, and only rows that they leave open are read. */
export async function searchRedis(
  reader: RedisReader,
  criteria: SearchCriteria,
  operator: SearchOperator,
): Promise<DistFile[]> {
  const projects = [...(await reader.projects())].filter(name => mayMatch(name, criteria, operator))
  const newest = new Map<string, {name: string; filename: string; version: string; summary: string | null}>()
  for await (const {name, filename, values} of rowFields(reader, projects, ['version', 'summary'])) {
    const [version, summary] = values
    const row = {name, filename, version: version ?? '', summary: textOrNull(summary ?? '')}
    if (matches(row, criteria, operator)) keepNewest(newest, row)
  }
  const rows = await reader.rows(Array.from(newest.values(), ({filename}) => filename))
  return Array.from(rows.values(), ({file}) => file).sort((a, b) => byCodePoint(a.name, b.name))
}

/** Whether files of a project of that name can match, whatever their summaries. */
function mayMatch(name: string, criteria: SearchCriteria, operator: SearchOperator): boolean {
  const {name: names = [], summary = []} = criteria
  if (operator === 'or' && summary.length > 0) return true
  return matches({filename: '', version: '', name, summary: null}, {name: names}, operator)
}

/** As `Cache.listSummaries`: from the rows, since pypicloud's own summaries show what was written last. */
export async function listRedisSummaries(reader: RedisReader): Promise<ProjectSummary[]> {
  const newest = new Map<string, ProjectSummary & {readonly filename: string}>()
  for await (const {name, filename, values} of rowFields(
    reader,
    [...(await reader.projects())],
    ['last_modified', 'summary'],
  )) {
    const lastModified = parseSeconds(values[0] ?? '')
    const other = newest.get(name)
    const age = other ? lastModified.getTime() - other.lastModified.getTime() : 1
    if (!other || age > 0 || (age === 0 && byCodePoint(filename, other.filename) > 0)) {
      newest.set(name, {name, summary: textOrNull(values[1] ?? ''), lastModified, filename})
    }
  }
  return Array.from(newest.values(), ({name, summary, lastModified}) => ({name, summary, lastModified})).sort(
    (a, b) => byCodePoint(a.name, b.name),
  )
}

/** Some fields of all rows of `projects`, a few thousand rows at a time. */
async function* rowFields(
  reader: RedisReader,
  projects: readonly string[],
  fields: readonly string[],
): AsyncGenerator<Fields> {
  let batch: [name: string, filename: string][] = []
  const read = async function* (): AsyncGenerator<Fields> {
    const rows = await reader.fields(
      batch.map(([, filename]) => filename),
      ['name', ...fields],
    )
    for (const [i, [name, filename]] of batch.entries()) {
      const [itsName, ...values] = rows[i] ?? []
      if (itsName === name) yield {name, filename, values}
    }
    batch = []
  }
  for await (const [name, filenames] of reader.filenames(projects)) {
    for (const filename of filenames) batch.push([name, filename])
    if (batch.length >= rowsAtOnce) yield* read()
  }
  yield* read()
}
