import type {Knex} from 'knex'
import type {Dialect} from '../../sql/dialect.js'
import type {SearchCriteria, SearchOperator} from '../cache.js'
import {searchedFields} from '../search.js'

/** No backslash: to MySQL it is one in a text, too. */
const escape = '!'

/** What SQL can decide: LIKE folds ASCII only, so each text's longest run of it narrows the rows, and `matches` decides. */
export function narrowed(
  query: Knex.QueryBuilder,
  dialect: Dialect,
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
        const pattern = `%${run.toLowerCase().replace(/[!%_]/g, `${escape}$&`)}%`
        conditions[operator === 'or' ? 'orWhereRaw' : 'andWhereRaw'](
          `${dialect.folded(field)} LIKE ? ESCAPE '${escape}'`,
          [pattern],
        )
      }
    }
  })
}
