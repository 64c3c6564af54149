import type {Database} from '../../../sql/database.js'
import type {AclEntry, LoadOptions, LoadReport} from '../../access.js'
import {LoadDifferences} from '../../load-differences.js'
import {createTokenTable} from '../token-table.js'
import {refuseDuplicates} from './duplicates.js'
import {mergeStage} from './merge.js'
import {Merging} from './merging.js'
import {openStage} from './stage.js'

/**
 * Merges a dump in two steps. First all of it goes into temporary tables, while the database stays free for others:
 * a dump may come slowly, through a pipe, out of this very database. Then one transaction takes over what is new.
 */
export function loadEntries(
  database: Database,
  entries: AsyncIterable<AclEntry>,
  {dryRun = false, prune = false, maxNames = 0}: LoadOptions,
): Promise<LoadReport> {
  const {dialect} = database
  return database.withConnection(async connection => {
    const stage = await openStage(connection, dialect)
    try {
      for await (const entry of entries) {
        const adding = stage.add(entry)
        if (adding) await adding
      }
      await stage.flush()
      await refuseDuplicates(connection, dialect, stage)
      if (prune) await stage.index()
      // before the transaction, which on MySQL would end with it
      if (stage.hasTokens && !dryRun) await createTokenTable(database)
      let report: LoadReport | undefined
      const rollback = new Error('dry run')
      try {
        await connection.transaction(async trx => {
          const merging = new Merging(trx, dialect, stage, new LoadDifferences(maxNames))
          report = await mergeStage(merging, {prune})
          if (dryRun) throw rollback
        })
      } catch (error) {
        if (error !== rollback) throw error
      }
      return report as LoadReport
    } finally {
      await stage.close()
    }
  })
}
