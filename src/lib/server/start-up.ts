import cluster from 'node:cluster'
import {setTimeout as sleep} from 'node:timers/promises'
import {LockHeld, PpcError} from '../errors.js'
import {listMixedNames, mixedNotice} from '../index/mixed-names.js'
import {rebuildCache} from '../tasks/rebuild/rebuild.js'
import {rebuildOwner} from './routes/rebuild.js'
import type {Context} from './context.js'

const shortestPauseMs = 5000
const longestPauseMs = 60_000
/** How long a start waits for the first list. */
const patienceMs = 3000

/**
 * Fills the cache in the background whenever it is not complete: on a first start, and after a rebuild of pypicloud on
 * the same database, which drops the mark with its table. Until then unknown names are answered 503. Of several
 * servers one does it: the lock decides.
 *
 * @returns `begun` when the cache is complete, can not be made so, or takes longer than anybody wants to wait: a small
 * storage is listed before the first answer. `ended` after the signal.
 */
export function keepCacheComplete(
  context: Context,
  signal: AbortSignal,
): {readonly begun: Promise<unknown>; readonly ended: Promise<void>} {
  const first = fillCacheIfIncomplete(context, signal)
  const begun = Promise.race([first, pause(patienceMs, signal)])
  return {begun, ended: goOn(context, signal, first)}
}

async function goOn(context: Context, signal: AbortSignal, first: Promise<boolean>): Promise<void> {
  let pauseMs = shortestPauseMs
  for (let filled = await first; !signal.aborted; filled = await fillCacheIfIncomplete(context, signal)) {
    pauseMs = filled ? shortestPauseMs : Math.min(pauseMs * 2, longestPauseMs)
    await pause(pauseMs, signal)
  }
}

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, {signal}).catch(() => undefined)

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
    if (signal.aborted) return true
    if (error instanceof LockHeld) return untilOthersHave(context, signal)
    const err = error instanceof PpcError ? error.message : error
    log.error({err}, 'the cache could not be rebuilt: run ppc-rebuild-cache')
    return false
  }
}

/** As long as another one fills the cache, for a while. */
async function untilOthersHave({index}: Context, signal: AbortSignal): Promise<true> {
  const giveUpAt = performance.now() + shortestPauseMs
  while (!signal.aborted && performance.now() < giveUpAt) {
    if (await index.wholeness.isComplete().catch(() => true)) break
    await pause(100, signal)
  }
  return true
}
