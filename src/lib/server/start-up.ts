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

/** What became of one look at the cache. `unknown`: it could not be asked. */
type Outcome = 'whole' | 'failed' | 'unknown'

async function goOn(context: Context, signal: AbortSignal, first: Promise<Outcome>): Promise<void> {
  let pauseMs = shortestPauseMs
  for (
    let outcome = await first;
    !signal.aborted;
    outcome = await fillCacheIfIncomplete(context, signal, outcome)
  ) {
    pauseMs = outcome === 'failed' ? Math.min(pauseMs * 2, longestPauseMs) : shortestPauseMs
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

/** @param before what became of the last look: that the cache is away is said once. */
async function fillCacheIfIncomplete(
  context: Context,
  signal: AbortSignal,
  before?: Outcome,
): Promise<Outcome> {
  const {index, log} = context
  try {
    if (await index.wholeness.isComplete()) return await remembered(context)
  } catch (error) {
    if (before !== 'unknown' && !signal.aborted)
      log.warn({err: wordsOf(error)}, 'whether the list of files is whole can not be told now')
    return 'unknown'
  }
  try {
    log.info('the cache is not complete: it is rebuilt from the storage')
    const report = await rebuildCache(index.rebuildParts, {owner: rebuildOwner(), signal})
    if (report.complete) {
      log.info({report}, 'the cache is complete')
      return await remembered(context)
    }
    const {unread, oddities} = report
    log.warn(
      {unread, first: oddities[0]},
      'the cache is not complete: ppc-rebuild-cache lists what can not be read',
    )
    return 'failed'
  } catch (error) {
    if (signal.aborted) return 'whole'
    if (error instanceof LockHeld) return untilOthersHave(context, signal)
    log.error({err: wordsOf(error)}, 'the cache could not be rebuilt: run ppc-rebuild-cache')
    return 'failed'
  }
}

/** The storage knows from now on that this cache was complete. Where it can not note it, who has seen it knows alone. */
async function remembered({index, log}: Context): Promise<'whole'> {
  await index.wholeness.noteComplete().catch((error: unknown) => {
    log.warn({err: wordsOf(error)}, 'the storage can not note that the cache was complete')
  })
  return 'whole'
}

const wordsOf = (error: unknown): unknown => (error instanceof PpcError ? error.message : error)

/** As long as another one fills the cache, for a while. */
async function untilOthersHave({index}: Context, signal: AbortSignal): Promise<'whole'> {
  const giveUpAt = performance.now() + shortestPauseMs
  while (!signal.aborted && performance.now() < giveUpAt) {
    if (await index.wholeness.isComplete().catch(() => true)) break
    await pause(100, signal)
  }
  return 'whole'
}
