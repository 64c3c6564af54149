import {randomUUID} from 'node:crypto'
import {completeMark, fillingMark, type Cache} from '../cache/cache.js'
import {UsageError} from '../errors.js'
import {isFilling} from '../index/wholeness.js'
import type {DistFile} from '../packaging/dist-file.js'
import {hasSameMembers} from './rebuild/merge.js'
import {lockExpiresAfterSeconds} from './rebuild/options.js'

export interface FillOptions {
  /** For those who come second: host, process and command. */
  readonly owner: string
  /** Writes nothing, and reports what would be written. */
  readonly dryRun?: boolean
  readonly signal?: AbortSignal
  /** Rows read so far. */
  readonly onProgress?: (read: number) => void
  readonly onChange?: (kind: 'added' | 'updated', file: DistFile) => void
}

/** What is read of the cache that the rows come from. */
export type FillSource = Pick<Cache, 'name' | 'listAllFiles' | 'getState' | 'remembers'>

export interface FillReport {
  readonly dryRun: boolean
  readonly added: number
  readonly updated: number
  readonly unchanged: number
  /** Rows of the target that were written later than those of the source, and stayed. */
  readonly newer: number
  /** Whether the target is known to have every file of the storage, because the source was. */
  readonly complete: boolean
  readonly seconds: number
}

const rowsPerBatch = 1000

/**
 * Copies every row of one cache into another one, of whatever kind, without asking the storage: both must be about the same
 * storage. Rows that only the target has stay, and so do those that somebody writes meanwhile.
 * @throws {UsageError} when both are one database. @throws {LockHeld} while a rebuild of the target runs.
 */
export async function fillCache(
  source: FillSource,
  target: Cache,
  options: FillOptions,
): Promise<FillReport> {
  const start = performance.now()
  await using lock = options.dryRun
    ? undefined
    : await target.acquireLock('rebuild', {
        owner: options.owner,
        expireAfterSeconds: lockExpiresAfterSeconds,
      })
  const checkStop = () => {
    options.signal?.throwIfAborted()
    lock?.signal.throwIfAborted()
  }
  if (lock) await refuseSame(source, target)
  const wasEmpty = lock !== undefined && !(await isComplete(target)) && (await target.countFiles()) === 0
  if (wasEmpty) await target.setState(fillingMark, new Date().toISOString(), {lock})
  const count = {added: 0, updated: 0, unchanged: 0, newer: 0}
  const wasComplete = await isComplete(source)

  const take = async (files: readonly DistFile[]) => {
    checkStop()
    const seen = await target.findFiles(files.map(({filename}) => filename))
    const writing: DistFile[] = []
    for (const file of files) {
      const row = seen.get(file.filename)
      if (row && hasSameMembers(row, file)) count.unchanged += 1
      else if (row && row.lastModified.getTime() >= file.lastModified.getTime() + 1000) count.newer += 1
      else writing.push(file)
    }
    const written = lock && writing.length > 0 ? await target.save(writing, {lock, seen}) : writing
    for (const file of written) {
      const kind = seen.has(file.filename) ? 'updated' : 'added'
      count[kind] += 1
      options.onChange?.(kind, file)
    }
    const {added, updated, unchanged, newer} = count
    options.onProgress?.(added + updated + unchanged + newer)
  }
  let batch: DistFile[] = []
  for await (const file of source.listAllFiles()) {
    batch.push(file)
    if (batch.length < rowsPerBatch) continue
    await take(batch)
    batch = []
  }
  await take(batch)
  checkStop()
  // asked again: a rebuild of pypicloud may have dropped the rows while they were read
  const complete = wasComplete && (await isComplete(source))
  if (lock && complete) await target.setState(completeMark, new Date().toISOString(), {lock})
  if (lock && (complete || (wasEmpty && !(await isFilling(source))))) {
    await target.setState(fillingMark, undefined, {lock})
  }
  return {dryRun: !lock, ...count, complete, seconds: (performance.now() - start) / 1000}
}

const isComplete = async (cache: Pick<Cache, 'getState'>): Promise<boolean> =>
  (await cache.getState(completeMark)) !== undefined

/** One database can be written in two ways: what is noted in the target must not turn up in the source. */
async function refuseSame(source: FillSource, target: Cache): Promise<void> {
  const note = randomUUID()
  const key = 'same'
  await target.setState(key, note)
  try {
    if ((await source.getState(key)) !== note) return
  } finally {
    await target.setState(key, undefined)
  }
  throw new UsageError(`${source.name} and ${target.name} are the same cache: there is nothing to copy`)
}
