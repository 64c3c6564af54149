import type {Knex} from 'knex'
import type {Dialect} from '../../../sql/dialect.js'
import type {LoadDifference} from '../../access.js'
import type {LoadDifferences} from '../../load-differences.js'
import {loadNotice, maxNotices} from '../../load-notices.js'
import type {Stage} from './stage.js'

type Row = Readonly<Record<string, unknown>>

/** The transaction that takes over a staged dump, and what is to be told of it. */
export class Merging {
  readonly notices: string[] = []

  constructor(
    readonly trx: Knex,
    readonly dialect: Dialect,
    readonly stage: Stage,
    readonly differences: LoadDifferences,
  ) {}

  /**
   * Counts the rows of `source` (`FROM …`), and adds the names of the first of them to what a load tells.
   * @param name an expression. @returns how many there are
   */
  async note(
    change: LoadDifference['change'],
    kind: LoadDifference['kind'],
    source: string,
    name: string,
  ): Promise<number> {
    const {differences, dialect} = this
    const count = await this.count(source)
    if (count === 0) return 0
    const names =
      differences.maxNames > 0
        ? await this.select(
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

  /** `query` selects what is to be told; of what it could not tell apart, `say` says nothing. */
  async report(query: string, say: (name: string, row: Row) => string | undefined): Promise<void> {
    const rows = await this.select(`${query} LIMIT ${maxNotices + 1}`)
    for (const row of rows.slice(0, maxNotices)) {
      const notice = say(String(row['name']), row)
      if (notice !== undefined) this.notices.push(notice)
    }
    if (rows.length <= maxNotices) return
    this.notices.push(loadNotice.more((await this.count(`FROM (${query}) AS found`)) - maxNotices))
  }

  async select(query: string): Promise<Record<string, unknown>[]> {
    return this.dialect.rowsOf(await this.trx.raw(query))
  }

  async count(source: string): Promise<number> {
    const [row] = await this.select(`SELECT count(*) AS n ${source}`)
    return Number(row?.['n'])
  }

  /** Of rows that are inserted from the stage. Servers keep no order of rows. */
  get inTheirOrder(): string {
    return this.dialect.name === 'sqlite' ? 'ORDER BY s.rowid' : ''
  }

  /** That there is a user of this name. */
  isUser(column: string): string {
    return `EXISTS (SELECT 1 FROM pypicloud_users u WHERE ${this.dialect.same('u.username', column)})`
  }

  /** That there is a group of this name. */
  isGroup(column: string): string {
    return `EXISTS (SELECT 1 FROM pypicloud_groups g WHERE ${this.dialect.same('g.name', column)})`
  }
}
