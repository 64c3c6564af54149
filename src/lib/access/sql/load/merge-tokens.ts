import {tokenFieldNames} from '../../api-tokens/token-fields.js'
import {loadNotice} from '../../load-notices.js'
import {hasTokenTable, tokenTable} from '../token-table.js'
import {noteTokenChange} from '../tokens.js'
import type {Merging} from './merging.js'

/** API tokens of users that are there. In a dry run, there may be no table yet. @returns how many are new */
export async function mergeTokens(merging: Merging): Promise<number> {
  const {trx, dialect, stage} = merging
  const hasOwner = merging.isUser('s.owner')
  await merging.report(
    `SELECT s.id AS name, s.owner AS a FROM ${stage.tokens} s WHERE NOT ${hasOwner}`,
    (id, {a}) => loadNotice.nobodysToken(id, String(a)),
  )
  const hasTable = await hasTokenTable(trx, dialect)
  const isNew = `NOT EXISTS (SELECT 1 FROM ${tokenTable} t WHERE ${dialect.same('t.id', 's.id')})`
  const source = `FROM ${stage.tokens} s WHERE ${hasOwner} ${hasTable ? `AND ${isNew}` : ''}`
  const count = await merging.note('added', 'token', source, `s.id || ' of ' || s.owner`)
  if (count === 0 || !hasTable) return count
  const columns = tokenFieldNames.join(', ')
  await trx.raw(`INSERT INTO ${tokenTable} (${columns}) SELECT ${columns} ${source}`)
  await noteTokenChange(trx)
  return count
}
