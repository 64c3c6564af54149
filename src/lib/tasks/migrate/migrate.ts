import {setMaxListeners} from 'node:events'
import {Conflict, LockLost, UsageError} from '../../errors.js'
import {acquireNotesLock, type NotesLock} from '../../index/notes-lock.js'
import {normalizeName} from '../../packaging/names.js'
import {PackageStorage} from '../../storage/package-storage.js'
import {isOddity, NotesOutOfReach, type ObjectStore} from '../../storage/storage.js'
import {Bandwidth} from './bandwidth.js'
import {CacheRows} from './cache-rows.js'
import {carryNotes} from './carry-notes.js'
import {FileWork, Stopped, type Run} from './file-work.js'
import {fillPlan, Listing} from './fill-plan.js'
import type {MigrateOptions, PlannedRemoval} from './options.js'
import {Plan, Progress} from './plan.js'
import {forEachAtOnce} from './pool.js'
import {planSourceRemoval, planSurplus, Remover} from './removal.js'
import {ReportBuilder, type MigrateReport} from './report.js'
import {SourceStorage} from './source-storage.js'

export type * from './options.js'
export {strategies} from './options.js'
export type {MigrateFailure, MigrateReport} from './report.js'

/** In a directory each file waits for the disk several times, in a bucket for one answer. */
const usualConcurrency = {tree: 16, hashed: 64, flat: 64}
const namesTold = 5
const linkNames = {hard: 'hard link', symlink: 'symbolic link', reflink: 'reflink'} as const

/**
 * Copies every distribution file with its metadata and time, and the notes, and does to the target or the source what
 * else `options` ask for. A file that fails is reported and the others go on. Stopped at any moment, the next run copies
 * only what is missing, and when another run has taken the lock, the report says what was done until then. Memory does
 * not grow with the number of files.
 * @throws {UsageError} when source and target are the same place, or one lies in the other, or options exclude each other.
 * @throws {LockHeld} while another migration writes to the target. @throws {Conflict} (`fail`)
 * @throws when an end can't be listed, or `signal` says so.
 */
export async function migrateFiles(
  from: ObjectStore,
  to: ObjectStore,
  options: MigrateOptions = {},
): Promise<MigrateReport> {
  refuseContradictions(options)
  await refuseOverlap(from, to)
  if (!isReadOnly(options)) to.decidesPuts?.().catch(() => undefined) // meanwhile: the first copy asks it
  const warnings: string[] = []
  await using listing = new Listing(from) // its first part comes while the target is locked
  await using lock = isReadOnly(options) ? undefined : await lockTarget(to, options, warnings)
  const signals = [options.signal, lock?.signal].filter(signal => signal !== undefined)
  const signal = signals.length > 0 ? AbortSignal.any(signals) : undefined
  if (signal) setMaxListeners(0, signal) // each transfer listens
  return await new Migration(from, to, {...options, warnings, listing}, signal, lock).run()
}

class Migration {
  readonly #options: MigrateOptions
  readonly #listing: Listing
  readonly #plan = new Plan()
  readonly #report: ReportBuilder
  readonly #run: Run
  readonly #concurrency: number

  constructor(
    from: ObjectStore,
    to: ObjectStore,
    options: MigrateOptions & {readonly warnings: readonly string[]; readonly listing: Listing},
    signal: AbortSignal | undefined,
    lock: NotesLock | undefined,
  ) {
    const {only, since, bytesPerSecond, cache, warnings, listing} = options
    this.#listing = listing
    this.#options = options
    this.#concurrency =
      options.concurrency ?? Math.max(usualConcurrency[from.layout], usualConcurrency[to.layout])
    this.#report = new ReportBuilder(options.dryRun === true)
    for (const warning of warnings) this.#report.warn(warning)
    this.#run = {
      ends: {
        source: new SourceStorage(from),
        target: new PackageStorage(to),
        bandwidth: bytesPerSecond === undefined ? undefined : new Bandwidth(bytesPerSecond),
        signal,
      },
      plan: this.#plan,
      report: this.#report,
      options,
      selection: {only: only && new Set(only.map(normalizeName)), since},
      started: new Date(),
      lock,
      rows: cache && !isReadOnly(options) ? new CacheRows(cache) : undefined,
    }
  }

  async run(): Promise<MigrateReport> {
    try {
      return await this.#runToEnd()
    } catch (error) {
      const {signal, onInterrupted} = this.#options
      if (signal?.aborted) {
        this.#report.interrupt()
        await onInterrupted?.(this.#report.build())
      }
      throw error
    }
  }

  async #runToEnd(): Promise<MigrateReport> {
    using plan = this.#plan
    await this.#list()
    await plan.index({projects: this.#options.strategy === 'mirror' || this.#options.deleteSource === true})
    if (this.#options.strategy === 'fail') await this.#refuseConflicts()
    if (await this.#isDeclined()) {
      this.#report.decline()
      return this.#report.build()
    }
    const {rows} = this.#run
    if (!isReadOnly(this.#options)) await carryNotes(this.#run)
    try {
      await this.#settleAll(this.#run)
      await this.#remove()
    } catch (error) {
      if (error instanceof LockLost) {
        rows?.discard() // whoever has the lock now may know better
        this.#report.stop(error)
      } else if (!(error instanceof Stopped)) throw error
    } finally {
      await rows?.flush()
    }
    if (rows && !this.#report.isStopped) await this.#completeCache(rows)
    this.#tellUnlinked()
    return this.#report.build()
  }

  /** A copy takes room that whoever asks for links may not have. */
  #tellUnlinked(): void {
    const {ends, report, options} = this.#run
    if (options.link === undefined || report.unlinked === 0) return
    const places = `from ${ends.source.store.name} to ${ends.target.store.name}`
    report.warn(
      `no ${linkNames[options.link]} could be made ${places}: files copied instead: ${report.unlinked}`,
    )
  }

  async #list(): Promise<void> {
    const {ends, selection, report} = this.#run
    await fillPlan(this.#plan, ends, report, {
      listing: this.#listing,
      selection,
      signal: ends.signal,
      onListed: done => this.#options.onProgress?.({phase: 'listing', done, bytes: 0}),
    })
    for (const name of selection.only ?? []) {
      if (!this.#plan.hasProject(name, 'source'))
        report.warn(`${ends.source.store.name} has no file of ${name}`)
    }
  }

  async #settleAll(run: Run): Promise<void> {
    const {files} = this.#plan.total('source', Progress.todo)
    const work = new FileWork(run)
    const settle = async (group: Parameters<typeof work.settleGroup>[0]) => {
      await work.settleGroup(group)
      const {done, bytes} = run.report
      this.#options.onProgress?.({phase: 'copying', done, total: Math.max(done, files), bytes})
    }
    await forEachAtOnce(this.#plan.sourceFiles(), this.#concurrency, settle, run.ends.signal)
  }

  /** @throws {Conflict} when the target has a file of the source with other bytes. */
  async #refuseConflicts(): Promise<void> {
    const report = new ReportBuilder(true)
    const options = {...this.#options, dryRun: true}
    try {
      await this.#settleAll({...this.#run, rows: undefined, report, options})
    } catch (error) {
      if (!(error instanceof Stopped)) throw error // what failed is told below
    }
    const {failed, failedCount} = report.build()
    if (failedCount === 0) return
    const names = failed.slice(0, namesTold).map(({filename, reason}) => `${filename} (${reason})`)
    const more = failedCount > names.length ? ` and ${failedCount - names.length} more` : ''
    throw new Conflict(`nothing was copied, because of ${names.join(', ')}${more}`)
  }

  /** Asks before anything is copied about what is to be removed: always by `mirror`, else when it is much. */
  async #isDeclined(): Promise<boolean> {
    const {strategy, deleteSource, confirmRemoval} = this.#options
    if (isReadOnly(this.#options) || !confirmRemoval) return false
    const removals: PlannedRemoval[] = []
    if (strategy === 'mirror') removals.push(await planSurplus(this.#run))
    if (deleteSource) {
      const removal = await planSourceRemoval(this.#run)
      if (removal.isLarge) removals.push(removal)
    }
    for (const removal of removals) {
      if (removal.files > 0 && !(await confirmRemoval(removal))) return true
    }
    return false
  }

  async #remove(): Promise<void> {
    const {strategy, deleteSource, dryRun, verifyOnly} = this.#options
    const remover = new Remover(this.#run, this.#concurrency)
    if (strategy === 'mirror' && !verifyOnly) {
      const problem =
        this.#plan.total('source').files === 0
          ? `${this.#run.ends.source.store.name} lists no file at all`
          : this.#report.failures > 0
            ? 'some files failed'
            : undefined
      if (problem === undefined) await remover.removeSurplus()
      else this.#report.warn(`nothing was removed from ${this.#run.ends.target.store.name}: ${problem}`)
    }
    if (!deleteSource) return
    if (!dryRun) return remover.removeArrived()
    const {copied, skipped} = this.#report.build()
    this.#report.removedFromSource = copied + skipped
  }

  /** The target's files that the source lacks get their rows too, where the run was about all files. */
  async #completeCache(rows: CacheRows): Promise<void> {
    const {selection, ends, plan, report} = this.#run
    const counted = report.build()
    let strays = 0
    if (!selection.only && !selection.since && this.#options.strategy !== 'mirror') {
      const list = async (planned: Parameters<typeof ends.target.describe>[0]) => {
        const file = await ends.target.describe(planned)
        if (file && !isOddity(file)) rows.add(file)
        else strays += 1
      }
      await forEachAtOnce(plan.surplus(undefined), this.#concurrency, list, ends.signal)
    }
    await rows.flush()
    const isWhole = !selection.only && !selection.since && counted.failedCount === 0
    const files = plan.total('target').files + counted.copied - counted.replaced - counted.removed - strays
    report.cacheComplete = isWhole ? await rows.markIfComplete(files) : await rows.isComplete()
  }
}

const isReadOnly = ({dryRun, verifyOnly}: MigrateOptions): boolean => dryRun === true || verifyOnly === true

/** Undefined where the target has no place for a lock, or none that its credentials reach: then `warnings` says so. */
async function lockTarget(
  to: ObjectStore,
  {owner, signal}: MigrateOptions,
  warnings: string[],
): Promise<NotesLock | undefined> {
  try {
    return await acquireNotesLock(to, 'migrate', {owner: owner ?? `process ${process.pid}`, signal})
  } catch (error) {
    if (!(error instanceof NotesOutOfReach)) throw error
    warnings.push(`${to.name} was not locked against other migrations: ${error.message}`)
    return undefined
  }
}

/** @throws {UsageError} */
function refuseContradictions({strategy, since, deleteSource, verifyOnly, link}: MigrateOptions): void {
  const refuse = (one: string, other: string) => {
    throw new UsageError(`${one} and ${other} exclude each other`)
  }
  if (strategy === 'mirror' && since) refuse('--strategy mirror', '--since')
  if (verifyOnly && deleteSource) refuse('--verify-only', '--delete-source')
  if (verifyOnly && strategy && strategy !== 'skip') refuse('--verify-only', `--strategy ${strategy}`)
  if (deleteSource && link === 'symlink') refuse('--link symlink', '--delete-source')
}

async function refuseOverlap(from: ObjectStore, to: ObjectStore): Promise<void> {
  if (!((await from.overlaps?.(to)) ?? (await to.overlaps?.(from)) ?? false)) return
  throw new UsageError(`${from.name} and ${to.name} are the same place, or one lies in the other`)
}
