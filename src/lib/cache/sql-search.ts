import type {Knex} from 'knex'
import {compareVersions} from '../packaging/versions.js'
import type {SearchCriteria, SearchOperator} from './cache.js'
import type {Row} from './sql-rows.js'

const fields = ['name', 'summary'] as const
type Searchable = Pick<Row, 'filename' | 'version' | (typeof fields)[number]>

/** What SQL can decide: LIKE folds ASCII only, so each text's longest run of it narrows the rows, and `matches` decides. */
export function narrowed(
  query: Knex.QueryBuilder,
  criteria: SearchCriteria,
  operator: SearchOperator,
): Knex.QueryBuilder {
  return query.where(conditions => {
    for (const field of fields) {
      for (const text of criteria[field] ?? []) {
        const run = (text.match(/[ -~]+/g) ?? []).reduce(
          (longest, next) => (next.length > longest.length ? next : longest),
          '',
        )
        const pattern = `%${run.replace(/[\\%_]/g, '\\$&')}%`
        conditions[operator === 'or' ? 'orWhereRaw' : 'andWhereRaw'](`${field} LIKE ? ESCAPE '\\'`, [pattern])
      }
    }
  })
}

/** As `Cache.search` says. */
export function matches(row: Searchable, criteria: SearchCriteria, operator: SearchOperator): boolean {
  const answers = fields.flatMap(field => {
    const value = row[field]?.toLowerCase()
    return (criteria[field] ?? []).map(text => value?.includes(text.toLowerCase()) ?? false)
  })
  if (answers.length === 0) return true
  return operator === 'or' ? answers.includes(true) : !answers.includes(false)
}

/** Keeps the highest version of each project; of several files, the last by name. */
export function keepNewest(newest: Map<string, Searchable>, row: Searchable & {readonly name: string}): void {
  const other = newest.get(row.name)
  const order = other ? compareVersions(row.version, other.version) : 1
  if (!other || order > 0 || (order === 0 && row.filename > other.filename)) newest.set(row.name, row)
}
