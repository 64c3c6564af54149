import {randomUUID} from 'node:crypto'
import type {Knex} from 'knex'
import {NotFound} from '../../errors.js'
import type {Database} from '../../sql/database.js'
import {AlreadyExists} from '../access.js'
import type {ApiToken, StoredToken, TokenStore, TokenWriter} from '../api-tokens/api-token.js'
import {fieldsOf, tokenOf} from '../api-tokens/token-fields.js'
import {quote} from '../names.js'
import {keyvals} from './tables.js'
import {createTokenTable, hasTokenTable, tokenTable} from './token-table.js'

/** API tokens in a table of ours beside pypicloud's. */
export class SqlTokens implements TokenStore, TokenWriter {
  readonly writer: TokenWriter = this
  readonly secondsBetweenUses = 300
  #hasTable = false

  constructor(private readonly database: Database) {}

  async find(id: string): Promise<StoredToken | undefined> {
    const [row] = await this.#rows(table => table.whereRaw(...this.database.dialect.is('id', id)))
    return row
  }

  list(owner?: string): Promise<StoredToken[]> {
    const {dialect} = this.database
    return this.#rows(table => {
      if (owner !== undefined) void table.whereRaw(...dialect.is('owner', owner))
      return table.orderByRaw(`${dialect.exact('owner')}, created, ${dialect.exact('id')}`)
    })
  }

  async #rows(only: (table: Knex.QueryBuilder) => Knex.QueryBuilder): Promise<StoredToken[]> {
    if (!(await this.#findTable())) return []
    const {knex, dialect} = this.database
    try {
      const rows = (await only(knex(tokenTable))) as Record<string, unknown>[]
      return rows.map(row => ({...tokenOf(row), lastUsed: (row['last_used'] ?? null) as string | null}))
    } catch (error) {
      if (!dialect.isMissingTable(error, tokenTable)) throw error
      this.#hasTable = false // the operator has dropped it
      return []
    }
  }

  /** A server would log each query of a table that does not exist. */
  async #findTable(): Promise<boolean> {
    if (!this.#hasTable) this.#hasTable = await hasTokenTable(this.database.knex, this.database.dialect)
    return this.#hasTable
  }

  async add(token: ApiToken): Promise<void> {
    const {database} = this
    const {dialect} = database
    await createTokenTable(database)
    await this.#change(async trx => {
      const owner: unknown = await trx('pypicloud_users')
        .whereRaw(...dialect.is('username', token.owner))
        .forUpdate()
        .first()
      if (owner === undefined) throw new NotFound(`there is no user ${quote(token.owner)}`)
      const taken: unknown = await trx(tokenTable)
        .whereRaw(...dialect.is('id', token.id))
        .first()
      if (taken !== undefined) throw new AlreadyExists(`there is an API token ${token.id} already`)
      await trx(tokenTable).insert(fieldsOf(token))
      return true
    })
  }

  async revoke(id: string): Promise<boolean> {
    if (!(await this.#findTable())) return false
    return this.#change(async trx => {
      const rows = trx(tokenTable).whereRaw(...this.database.dialect.is('id', id))
      return (await rows.delete()) > 0
    })
  }

  /** Servers watch pypicloud's tables only: a row of one of them tells every process that tokens have changed. */
  #change(work: (trx: Knex) => Promise<boolean>): Promise<boolean> {
    return this.database.transaction(async trx => {
      const changed = await work(trx)
      if (changed) await noteTokenChange(trx)
      return changed
    })
  }

  async noteUses(uses: ReadonlyMap<string, string>): Promise<void> {
    if (!(await this.#findTable())) return
    const {dialect} = this.database
    await this.database.transaction(async trx => {
      for (const [id, time] of uses) {
        await trx(tokenTable)
          .whereRaw(...dialect.is('id', id))
          .whereRaw('(last_used IS NULL OR last_used < ?)', [time])
          .update({last_used: time})
      }
    })
  }
}

export async function noteTokenChange(trx: Knex): Promise<void> {
  const change = {key: keyvals.tokens, value: randomUUID()}
  await trx('pypicloud_keyvals').insert(change).onConflict('key').merge()
}
