import cluster from 'node:cluster'
import {setTimeout as sleep} from 'node:timers/promises'
import {LockHeld, PpcError} from '../errors.js'
import {listMixedNames, mixedNotice} from '../index/mixed-names.js'
import {rebuildCache} from '../tasks/rebuild/rebuild.js'
import {rebuildOwner} from './routes/rebuild.js'
import type {Context} from './context.js'

const shortestPauseMs = 5000
const longestPauseMs = 60_000

/**
 * Fills the cache in the background whenever it is not complete: on a first start, and after a rebuild of pypicloud on
 * the same database, which drops the mark with its table. Until then unknown names are answered 503. Of several
 * servers one does it: the lock decides. Ends with the signal.
 */
export async function keepCacheComplete(context: Context, signal: AbortSignal): Promise<void> {
  for (let pauseMs = shortestPauseMs; !signal.aborted;) {
    const failed = !(await fillCacheIfIncomplete(context, signal))
    pauseMs = failed ? Math.min(pauseMs * 2, longestPauseMs) : shortestPauseMs
    await sleep(pauseMs, undefined, {signal, ref: false}).catch(() => undefined)
  }
}

/** RULES 6: what the operator has mixed with the upstream. One of several processes says so. */
export async function tellMixedNames({cache, origin, log}: Context): Promise<void> {
  if (!origin.mixes || (cluster.worker?.id ?? 1) !== 1) return
  try {
    const notice = mixedNotice(await listMixedNames(cache, origin))
    if (notice !== undefined) log.warn(notice)
  } catch (error) {
    log.warn({err: error}, 'the names that are mixed with the upstream could not be counted')
  }
}

/** @returns false when it failed. */
async function fillCacheIfIncomplete(context: Context, signal: AbortSignal): Promise<boolean> {
  const {index, log} = context
  try {
    if (await index.wholeness.isComplete()) return true
    await index.wholeness.begin()
    log.info('the cache is not complete: it is rebuilt from the storage')
    const report = await rebuildCache(index.rebuildParts, {owner: rebuildOwner(), signal})
    if (report.complete) log.info({report}, 'the cache is complete')
    else {
      const {unread, oddities} = report
      log.warn(
        {unread, first: oddities[0]},
        'the cache is not complete: ppc-rebuild-cache lists what can not be read',
      )
    }
    return report.complete
  } catch (error) {
    if (signal.aborted || error instanceof LockHeld) return true
    const err = error instanceof PpcError ? error.message : error
    log.error({err}, 'the cache could not be rebuilt: run ppc-rebuild-cache')
    return false
  }
}
