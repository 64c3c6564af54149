import type {MigrateReport} from '../tasks/migrate/report.js'
import {count, number, size} from './progress.js'

/** What a migration has done, as sentences for a person. */
export class MigrateStory {
  constructor(
    private readonly report: MigrateReport,
    private readonly about: {readonly source: string; readonly target: string; readonly verifies: boolean},
  ) {}

  /** What nobody asked for, but should know. */
  *lines(): Generator<string> {
    const {oddities, oddityCount, warnings, sealed, dryRun} = this.report
    if (dryRun) yield* this.#plans()
    for (const {key, reason} of oddities) yield `left alone: ${key}: ${reason}`
    if (oddityCount > oddities.length) yield `left alone: ${number(oddityCount - oddities.length)} more`
    for (const name of sealed) yield `${name} has no files any more; its name stays reserved`
    for (const warning of warnings) yield warning
  }

  /** What a dry run has to say by name: files that would be lost. */
  *#plans(): Generator<string> {
    const {replaced, replacedFiles, removed, removedFiles} = this.report
    for (const name of replacedFiles) yield `would be replaced: ${name}`
    if (replaced > replacedFiles.length)
      yield `would be replaced: ${number(replaced - replacedFiles.length)} more`
    for (const name of removedFiles) yield `would be removed: ${name}`
    if (removed > removedFiles.length) yield `would be removed: ${number(removed - removedFiles.length)} more`
  }

  *failures(): Generator<string> {
    const {failed, failedCount, stopped} = this.report
    for (const {filename, reason} of failed) yield `failed: ${filename}: ${reason}`
    if (failedCount > failed.length) yield `failed: ${number(failedCount - failed.length)} more`
    if (stopped) yield `Stopped: ${stopped.reason}`
  }

  summary(): string {
    const {report} = this
    const {source, target, verifies} = this.about
    if (report.declined) return 'Nothing was changed.'
    const failed = `${number(report.failedCount)} failed`
    if (verifies) {
      return `Verified ${count(report.verified, 'file')} (${size(report.bytes)}) of ${source} in ${target}, ${failed}.`
    }
    const would = report.dryRun ? 'Would copy' : 'Copied'
    const removed = report.dryRun ? 'to be removed' : 'removed'
    const parts = [
      `${would} ${count(report.copied, 'file')} (${size(report.bytes)}) from ${source} to ${target}`,
      ...(report.replaced > 0 ? [`${number(report.replaced)} of them over another one`] : []),
      `${number(report.skipped)} there already`,
      ...(report.kept > 0 ? [`${number(report.kept)} newer there`] : []),
      ...(report.removed > 0 ? [`${number(report.removed)} ${removed} there`] : []),
      ...(report.removedFromSource > 0 ? [`${number(report.removedFromSource)} ${removed} here`] : []),
      failed,
      ...(report.interrupted ? ['then interrupted'] : []),
    ]
    const cache =
      report.cacheComplete === undefined
        ? ''
        : report.cacheComplete
          ? ' The cache is complete.'
          : ' The cache has these files now, but may lack others: run ppc-rebuild-cache.'
    return `${parts.join(', ')}.${cache}`
  }
}
