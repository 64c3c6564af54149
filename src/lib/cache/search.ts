import type {DistFile} from '../packaging/dist-file.js'
import {compareVersions} from '../packaging/versions.js'
import type {SearchCriteria, SearchOperator} from './cache.js'

export const searchedFields = ['name', 'summary'] as const
export type Searchable = Pick<DistFile, 'filename' | 'version' | (typeof searchedFields)[number]>

/** As `Cache.search` says. */
export function matches(row: Searchable, criteria: SearchCriteria, operator: SearchOperator): boolean {
  const answers = searchedFields.flatMap(field => {
    const value = row[field]?.toLowerCase()
    return (criteria[field] ?? []).map(text => value?.includes(text.toLowerCase()) ?? false)
  })
  if (answers.length === 0) return true
  return operator === 'or' ? answers.includes(true) : !answers.includes(false)
}

/** Keeps the highest version of each project; of several files, the last by name. */
export function keepNewest(newest: Map<string, Searchable>, row: Searchable): void {
  const other = newest.get(row.name)
  const order = other ? compareVersions(row.version, other.version) : 1
  if (!other || order > 0 || (order === 0 && row.filename > other.filename)) newest.set(row.name, row)
}
