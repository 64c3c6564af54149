import type {Knex} from 'knex'
import type {Dialect} from '../../sql/dialect.js'
import type {LoadDifference} from '../access.js'
import type {LoadDifferences} from '../load-differences.js'

/**
 * Counts the rows of `source` (`FROM …`), and adds the names of the first of them to what a load tells.
 * @param name an expression. @returns how many there are
 */
export type NoteDifference = (
  change: LoadDifference['change'],
  kind: LoadDifference['kind'],
  source: string,
  name: string,
) => Promise<number>

export function noteDifferences(trx: Knex, dialect: Dialect, differences: LoadDifferences): NoteDifference {
  const select = async (query: string) => dialect.rowsOf(await trx.raw(query))
  return async (change, kind, source, name) => {
    const [row] = await select(`SELECT count(*) AS n ${source}`)
    const count = Number(row?.['n'])
    if (count === 0) return 0
    const names =
      differences.maxNames > 0
        ? await select(
            `SELECT ${dialect.exact(`(${name})`)} AS name ${source} ORDER BY 1 LIMIT ${differences.maxNames}`,
          )
        : []
    differences.add(
      change,
      kind,
      count,
      names.map(found => String(found['name'])),
    )
    return count
  }
}
