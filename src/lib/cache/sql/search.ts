import type {Knex} from 'knex'
import type {SearchCriteria, SearchOperator} from '../cache.js'
import {searchedFields} from '../search.js'

/** What SQL can decide: LIKE folds ASCII only, so each text's longest run of it narrows the rows, and `matches` decides. */
export function narrowed(
  query: Knex.QueryBuilder,
  criteria: SearchCriteria,
  operator: SearchOperator,
): Knex.QueryBuilder {
  return query.where(conditions => {
    for (const field of searchedFields) {
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
