import {ExitCode, PpcError} from '../../errors.js'
import type {Oddity} from '../../storage/storage.js'
import type {Outcome} from './options.js'

export interface MigrateReport {
  readonly dryRun: boolean
  /** With a dry run: what would be copied. Replaced files are among them. */
  readonly copied: number
  /** The target had another file of that name, which went. */
  readonly replaced: number
  /** The first thousand of them. */
  readonly replacedFiles: readonly string[]
  /** The target had them, with the same bytes. */
  readonly skipped: number
  /** The target has a file of that name that was published later (`newer`). */
  readonly kept: number
  /** Copied, or with `verifyOnly` compared, in bytes. */
  readonly bytes: number
  /** With `verifyOnly`: files whose bytes are the same at both ends. */
  readonly verified: number
  /** Removed from the target, because the source lacks them (`mirror`). With a dry run: would be. */
  readonly removed: number
  /** The first thousand of them. */
  readonly removedFiles: readonly string[]
  /** Removed from the source, because they were verified at the target. With a dry run: would be, at the most. */
  readonly removedFromSource: number
  /** Names that lost their last file, or did so in the source: they are not fetched from upstream. */
  readonly sealed: readonly string[]
  /** The first thousand, by file name. With `verifyOnly`: what is missing or differs. */
  readonly failed: readonly MigrateFailure[]
  readonly failedCount: number
  /** In the source: what is no distribution file stays where it is. The first thousand. */
  readonly oddities: readonly Oddity[]
  readonly oddityCount: number
  /** Sentences about the whole run. */
  readonly warnings: readonly string[]
  /** Nothing was changed, because the question was answered with no. */
  readonly declined: boolean
  /** It was ended by a signal. Files that were under way then may be at the target, and are not counted. */
  readonly interrupted: boolean
  /** With a cache: whether it is now known to have a row of every file of the target. */
  readonly cacheComplete?: boolean
  /** Why it ended early: every file fails, or another run has taken the lock. */
  readonly stopped?: StopReason
  readonly seconds: number
}

export interface StopReason {
  /** One sentence. */
  readonly reason: string
  readonly exitCode: ExitCode
}

export interface MigrateFailure {
  readonly filename: string
  /** One sentence. */
  readonly reason: string
}

const entriesKept = 1000

/** Counts what happens, and keeps the first of what is to be told. */
export class ReportBuilder {
  readonly #started = performance.now()
  readonly #counts: Record<Outcome, number> = {
    copied: 0,
    replaced: 0,
    same: 0,
    kept: 0,
    failed: 0,
    odd: 0,
    gone: 0,
    unselected: 0,
  }
  readonly #failed: MigrateFailure[] = []
  readonly #oddities: Oddity[] = []
  readonly #sealed = new Set<string>()
  readonly #warnings: string[] = []
  #stopped: StopReason | undefined
  #declined = false
  #interrupted = false
  #bytes = 0
  #verified = 0
  readonly #replacedFiles: string[] = []
  readonly #removedFiles: string[] = []
  #removed = 0
  removedFromSource = 0
  cacheComplete: boolean | undefined
  /** Copied, where links were asked for and can't be made. */
  unlinked = 0

  constructor(private readonly dryRun: boolean) {}

  /** @param bytes that were copied. */
  count(outcome: Outcome, bytes = 0): void {
    this.#counts[outcome] += 1
    this.#bytes += bytes
  }

  replace(filename: string, bytes: number): void {
    this.count('replaced', bytes)
    if (this.#replacedFiles.length < entriesKept) this.#replacedFiles.push(filename)
  }

  /** From the target. */
  remove(filename: string): void {
    this.#removed += 1
    if (this.#removedFiles.length < entriesKept) this.#removedFiles.push(filename)
  }

  /** One file whose bytes are the same at both ends. */
  verify(bytes: number): void {
    this.#verified += 1
    this.#bytes += bytes
  }

  get bytes(): number {
    return this.#bytes
  }

  get failures(): number {
    return this.#counts.failed
  }

  fail(filename: string, reason: string): void {
    this.#counts.failed += 1
    if (this.#failed.length < entriesKept) this.#failed.push({filename, reason})
  }

  odd(oddity: Oddity): void {
    this.#counts.odd += 1
    if (this.#oddities.length < entriesKept) this.#oddities.push(oddity)
  }

  seal(names: Iterable<string>): void {
    for (const name of names) this.#sealed.add(name)
  }

  warn(sentence: string): void {
    this.#warnings.push(sentence)
  }

  decline(): void {
    this.#declined = true
  }

  interrupt(): void {
    this.#interrupted = true
  }

  /** @param what the error happened to, where it does not say that itself. */
  stop(error: unknown, what?: string): void {
    const exitCode = error instanceof PpcError ? error.exitCode : ExitCode.failed
    const reason = reasonOf(error)
    this.#stopped ??= {reason: what === undefined ? reason : `${what}: ${reason}`, exitCode}
  }

  get isStopped(): boolean {
    return this.#stopped !== undefined
  }

  /** Files of the source that were worked on. */
  get done(): number {
    const {copied, replaced, same, kept, failed, gone, unselected} = this.#counts
    return copied + replaced + same + kept + failed + gone + unselected
  }

  build(): MigrateReport {
    const {copied, replaced, same, kept, failed, odd} = this.#counts
    return {
      dryRun: this.dryRun,
      copied: copied + replaced,
      replaced,
      replacedFiles: this.#replacedFiles.sort(),
      skipped: same,
      kept,
      bytes: this.#bytes,
      verified: this.#verified,
      removed: this.#removed,
      removedFiles: this.#removedFiles.sort(),
      removedFromSource: this.removedFromSource,
      sealed: [...this.#sealed].sort(),
      failed: this.#failed.sort((a, b) => (a.filename < b.filename ? -1 : 1)),
      failedCount: failed,
      oddities: this.#oddities,
      oddityCount: odd,
      warnings: this.#warnings,
      declined: this.#declined,
      interrupted: this.#interrupted,
      ...(this.cacheComplete !== undefined && {cacheComplete: this.cacheComplete}),
      ...(this.#stopped !== undefined && {stopped: this.#stopped}),
      seconds: (performance.now() - this.#started) / 1000,
    }
  }
}

export function reasonOf(error: unknown): string {
  if (error instanceof PpcError) return error.message
  return error instanceof Error ? error.message : String(error)
}
