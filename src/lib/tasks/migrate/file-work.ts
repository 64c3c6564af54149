import {Readable} from 'node:stream'
import {Conflict, LockLost, NotFound, StorageFailed} from '../../errors.js'
import type {NotesLock} from '../../index/notes-lock.js'
import type {DistFile} from '../../packaging/dist-file.js'
import type {PackageStorage} from '../../storage/package-storage.js'
import type {Bytes} from '../../storage/small-body.js'
import {isOddity, ObjectExists, ObjectMissing, type Oddity} from '../../storage/storage.js'
import type {CacheRows} from './cache-rows.js'
import {findDamage, findDifference} from './compare.js'
import {copyFile, type CopyFileOptions} from './copy.js'
import {lookAt, type Ends} from './ends.js'
import type {Selection} from './fill-plan.js'
import type {MigrateOptions, Outcome} from './options.js'
import {findInTarget, placeInTarget} from './place.js'
import {Progress, withoutMetadata, type Plan, type PlannedFile} from './plan.js'
import {reasonOf, type ReportBuilder} from './report.js'
import {FailureStreak, withRetries} from './retry.js'
import {DamagedSource} from './source-body.js'
import {SourceFailed} from './source-storage.js'
import {decide, replacesAll} from './strategy.js'
import {publishedAt} from './times.js'

export interface Run {
  readonly ends: Ends
  readonly plan: Plan
  readonly report: ReportBuilder
  readonly options: MigrateOptions
  readonly selection: Selection
  /** Nothing younger is removed. */
  readonly started: Date
  readonly lock: NotesLock | undefined
  readonly rows: CacheRows | undefined
}

/** Everything fails for one reason: the rest is not tried. */
export class Stopped extends Error {}

/** Of a source that gives nothing at all though it is there, so many are tried. */
const mostRefused = 1000

/** What is done about each file of the source. */
export class FileWork {
  readonly #streak = new FailureStreak()

  constructor(private readonly run: Run) {}

  /** @param group of one file name, which is one file but for trees. @throws {Stopped} @throws {LockLost} */
  async settleGroup(group: readonly PlannedFile[]): Promise<void> {
    const files = group.length === 1 ? group : await this.#onesThatCount(group)
    for (const file of files) await this.#settleOne(file)
  }

  async #settleOne(planned: PlannedFile): Promise<void> {
    const {report, options, ends, lock} = this.run
    const {filename} = planned
    let outcome: Outcome
    try {
      outcome = await withRetries(async attempt => {
        await lock?.check()
        return this.#settle(planned, attempt)
      }, ends.signal)
      this.#streak.success()
    } catch (error) {
      ends.signal?.throwIfAborted()
      if (error instanceof LockLost) throw error
      outcome = 'failed'
      report.fail(filename, reasonOf(error))
      if (this.#streak.failure(error) && !(await this.#isAboutSingleObjects(error))) {
        report.stop(error, 'every file fails')
        throw new Stopped(reasonOf(error), {cause: error})
      }
    }
    options.onFile?.({filename, outcome})
  }

  /** Whether the source works and only does not give some of its objects: a policy hides them, or they are archived. */
  async #isAboutSingleObjects(error: unknown): Promise<boolean> {
    const {ends, report} = this.run
    if (!(error instanceof SourceFailed)) return false
    if (!this.#streak.hasSucceeded && report.failures >= mostRefused) return false
    this.#streak.restart()
    return ends.source.store.check().then(
      () => true,
      () => false,
    )
  }

  async #settle(planned: PlannedFile, attempt: number): Promise<Outcome> {
    const fetched = attempt === 1 && this.#isFetched(planned) ? await this.#fetch(planned) : undefined
    try {
      const found =
        fetched?.file ??
        (await lookAt(this.run.ends.source, attempt === 1 ? planned : withoutMetadata(planned)))
      return await this.#settleFound(planned, attempt, found, fetched?.bytes)
    } finally {
      if (fetched?.bytes instanceof Readable) fetched.bytes.destroy()
    }
  }

  /** Its metadata and its bytes come at once: when a bucket does not list the first and a directory lacks the second. */
  #isFetched({metadata, filename}: PlannedFile): boolean {
    const {ends, options, plan, selection} = this.run
    return (
      metadata === undefined &&
      selection.since === undefined &&
      ends.source.store.fetch !== undefined &&
      ends.target.store.layout === 'tree' &&
      !options.dryRun &&
      !options.verifyOnly &&
      plan.targetsNamed(filename).length === 0
    )
  }

  async #fetch(planned: PlannedFile): ReturnType<PackageStorage['fetch']> {
    try {
      return await this.run.ends.source.fetch(planned)
    } catch (error) {
      if (error instanceof ObjectMissing) return undefined // and is looked for once more
      throw error
    }
  }

  async #settleFound(
    planned: PlannedFile,
    attempt: number,
    found: DistFile | Oddity | undefined,
    bytes: Bytes | undefined,
  ): Promise<Outcome> {
    const {plan, report, ends} = this.run
    const file = this.#select(found)
    if (typeof file === 'string') {
      if (file === 'gone') this.#arrived(planned, Progress.same, planned.project ?? '')
      if (file === 'odd') this.run.rows?.missOne()
      if (file !== 'odd') report.count(file)
      return file
    }
    const there = findInTarget(ends.target, file, plan.targetsNamed(file.filename))
    const existing = there && (await lookAt(ends.target, attempt === 1 ? there : withoutMetadata(there)))
    if (existing && isOddity(existing)) throw new Conflict(`${existing.key} in the target ${existing.reason}`)
    const outcome = existing ? await this.#compare(file, existing) : await this.#add(file, attempt, bytes)
    if (outcome === 'copied' || outcome === 'replaced') {
      this.#arrived(planned, Progress.verified, file.name)
      if (outcome === 'replaced') report.replace(file.filename, file.data.size ?? 0)
      else report.count(outcome, file.data.size)
      return outcome
    }
    if (outcome === 'same') this.#arrived(planned, Progress.same, file.name)
    report.count(outcome)
    return outcome
  }

  /** The file, or why nothing is to be done about it. */
  #select(file: DistFile | Oddity | undefined): DistFile | 'odd' | 'gone' | 'unselected' {
    const {report, selection} = this.run
    if (file === undefined) return 'gone'
    if (isOddity(file)) {
      report.odd(file)
      return 'odd'
    }
    const isSelected =
      (!selection.only || selection.only.has(file.name)) &&
      (!selection.since || publishedAt(file) >= selection.since)
    return isSelected ? file : 'unselected'
  }

  async #add(file: DistFile, attempt: number, bytes: Bytes | undefined): Promise<Outcome> {
    const {ends, options} = this.run
    if (options.verifyOnly) throw new NotFound('the target lacks it')
    const place = placeInTarget(ends.target, file)
    ends.target.keyOf(place) // a dry run says too what can't lie there
    if (options.dryRun) return 'copied'
    try {
      await this.#copy(file, place, {replace: false, opened: bytes})
      return 'copied'
    } catch (error) {
      if (!(error instanceof ObjectExists)) throw error
      // An upload was quicker, or the answer to our own first attempt was lost.
      const outcome = await this.#compare(file, await ends.target.stat(place))
      return outcome === 'same' && attempt > 1 ? 'copied' : outcome
    }
  }

  /** @throws {Conflict} where the target's file is neither the same nor to be replaced. */
  async #compare(file: DistFile, existing: DistFile): Promise<Outcome> {
    const {ends, options, rows} = this.run
    const {strategy = 'skip', link, dryRun = false} = options
    if (options.verifyOnly) return this.#verify(file, existing)
    rows?.add(existing)
    const place = placeInTarget(ends.target, file, existing.data.path)
    const difference = await findDifference(ends, file, existing)
    if (!difference) {
      const isLink = link === 'hard' || link === 'symlink' // a reflink can't be told from a copy
      if (isLink && !dryRun) {
        await ends.target.copyFrom(ends.source, file, place, {link, replace: replacesAll(strategy)})
      }
      return 'same'
    }
    if (decide(strategy, file, existing, difference) === 'keep') return 'kept'
    if (!dryRun) await this.#copy(file, place, {replace: true, opened: undefined})
    return 'replaced'
  }

  async #copy(
    file: DistFile,
    place: DistFile,
    how: Pick<CopyFileOptions, 'replace' | 'opened'>,
  ): Promise<void> {
    const {ends, options, rows, report} = this.run
    const {link} = options
    try {
      const {stored, isLink} = await copyFile(ends, file, place, {...how, link, unlisted: !rows})
      if (link && !isLink) report.unlinked += 1
      rows?.add(stored)
    } catch (error) {
      if (!(error instanceof DamagedSource)) throw error
      const now = await ends.source.stat(file)
      if (now.data.fingerprint === file.data.fingerprint) throw error
      throw new StorageFailed('the source was written while it was copied', {cause: error}) // and is read again
    }
  }

  async #verify(file: DistFile, existing: DistFile): Promise<Outcome> {
    const {ends, report} = this.run
    const damage = await findDamage(ends, file, existing)
    if (damage !== undefined) throw new Conflict(damage)
    report.verify(file.data.size ?? 0)
    return 'same'
  }

  /** Only removals need to know. */
  #arrived(planned: PlannedFile, progress: Progress, project: string): void {
    const {options, plan} = this.run
    if (options.deleteSource && !options.dryRun) plan.setProgress(planned, progress, project)
  }

  /** Of several objects that are one file, the one that was published last, as a rebuild sees it. The others are odd. */
  async #onesThatCount(group: readonly PlannedFile[]): Promise<PlannedFile[]> {
    const {ends, report, rows} = this.run
    const found = new Map<string, {readonly planned: PlannedFile; readonly file: DistFile}>()
    const others: PlannedFile[] = []
    for (const planned of group) {
      const file = await withRetries(() => lookAt(ends.source, planned), ends.signal).catch(
        () => undefined, // and fails in its turn
      )
      if (file === undefined || isOddity(file)) {
        others.push(planned) // and is told in its turn
        continue
      }
      const identity = ends.target.store.layout === 'tree' ? `${file.name}/${file.version}` : ''
      const known = found.get(identity)
      const wins = !known || publishedAt(file) > publishedAt(known.file)
      const loser = wins ? known?.planned : planned
      if (wins) found.set(identity, {planned, file})
      if (loser) {
        const winner = wins ? planned : known.planned
        report.odd({
          key: loser.key,
          reason: `is a second file of the name ${file.filename}: ${winner.key} counts`,
        })
        rows?.missOne()
      }
    }
    return [...others, ...Array.from(found.values(), ({planned}) => planned)]
  }
}
