import type {Knex} from 'knex'
import type {Database} from '../../sql/database.js'
import {driverCode} from '../../sql/dialect.js'
import {sqliteStateTable} from './schema.js'

interface StateRow {
  readonly key: string
  readonly value: string
  /** Whether `packages` held files, when we last wrote it. */
  readonly had_files: number
  /** On servers: which table of the name it was. */
  readonly packages_id?: string
}

/**
 * Facts about the rows of `packages`, in `ppc_toolkit_state`. pypicloud's rebuild drops and creates `packages`, and may
 * leave it empty or half full: then what we knew was about other rows, and is nothing any more.
 */
export class SqlState {
  constructor(private readonly database: Database) {}

  async get(key: string): Promise<string | undefined> {
    const {knex, dialect} = this.database
    if (dialect.name === 'sqlite' && (await wasDropped(knex))) return undefined
    const row = await knex<StateRow>('ppc_toolkit_state').where({key}).first()
    if (!row) return undefined
    if (dialect.name !== 'sqlite' && !isSame(row.packages_id, await this.#identify(knex))) return undefined
    return row.had_files && !(await hasFiles(knex)) ? undefined : row.value
  }

  async set(transaction: Knex, key: string, value: string | undefined): Promise<void> {
    const isSqlite = this.database.dialect.name === 'sqlite'
    if (isSqlite && (await wasDropped(transaction))) await recreate(transaction)
    await transaction('ppc_toolkit_state').where({key}).delete()
    if (value === undefined) return
    await transaction('ppc_toolkit_state').insert({
      key,
      value,
      had_files: Number(await hasFiles(transaction)),
      ...(isSqlite ? {} : {packages_id: await this.#identify(transaction)}),
    })
  }

  /** To be called when rows came or the last one went: an empty table that we emptied is told from one that others did. */
  async noteFiles(transaction: Knex, present: boolean): Promise<void> {
    const [before, now] = [Number(!present), Number(present)]
    const table = 'ppc_toolkit_state'
    const differing = await this.database.select(transaction, table, ['?? = ?', ['had_files', before]])
    if (differing.length > 0) await transaction(table).where('had_files', before).update({had_files: now})
  }

  async #identify(knex: Knex): Promise<string> {
    const {dialect} = this.database
    if (dialect.name === 'mysql') return this.#identifyMysql(knex)
    const [row] = dialect.rowsOf(await knex.raw(`SELECT 'packages'::regclass::oid::text AS id`))
    return String(row?.['id'])
  }

  /** When it was made, in whole seconds, and InnoDB's number of it, if this user may see that. */
  async #identifyMysql(knex: Knex): Promise<string> {
    const read = async (sql: string) => {
      const [row] = this.database.dialect.rowsOf(await knex.raw(sql))
      return row?.['id'] as string | number | null | undefined
    }
    const made = await read(
      `SELECT CONCAT(create_time, '') AS id FROM information_schema.tables
        WHERE table_schema = DATABASE() AND table_name = 'packages'`,
    )
    while (this.#numbered.length > 0) {
      try {
        const number = await read(
          `SELECT table_id AS id FROM information_schema.${this.#numbered[0]} WHERE name = CONCAT(DATABASE(), '/packages')`,
        )
        return number === undefined ? String(made) : `${made}${numberSign}${number}`
      } catch (error) {
        if (!/^ER_(?:UNKNOWN_TABLE|SPECIFIC_ACCESS_DENIED_ERROR)$/.test(driverCode(error))) throw error
        this.#numbered.shift()
      }
    }
    return String(made)
  }
  /** As MariaDB calls it, and as MySQL does. */
  readonly #numbered = ['innodb_sys_tables', 'innodb_tables']
}

const numberSign = ' #'

/** Two users of one database may not see the same of it. */
function isSame(stored = '', current: string): boolean {
  const [[made, number], [madeNow, numberNow]] = [stored.split(numberSign), current.split(numberSign)]
  return made === madeNow && (number === undefined || numberNow === undefined || number === numberNow)
}

export const hasFiles = async (knex: Knex): Promise<boolean> =>
  (await knex('packages').first('filename')) !== undefined

/** On SQLite, where `packages` is older than our table until somebody creates it anew. */
async function wasDropped(knex: Knex): Promise<boolean> {
  const tables = await knex<{name: string; rowid: number}>('sqlite_master')
    .where('type', 'table')
    .whereIn('name', ['packages', 'ppc_toolkit_state'])
    .orderBy('rowid') // in the order of creation, which VACUUM and dumps keep
    .select('name')
  return tables[0]?.name !== 'packages'
}

/** Makes our table the younger one again, and forgets what it held about the dropped one. */
async function recreate(knex: Knex): Promise<void> {
  await knex.raw('DROP TABLE IF EXISTS ppc_toolkit_state')
  await knex.raw(sqliteStateTable)
}
