import {Args, Flags} from '@oclif/core'
import {hostname} from 'node:os'
import {openBackends} from '../lib/backends.js'
import type {Config} from '../lib/config/config.js'
import {ExitCode, LockHeld} from '../lib/errors.js'
import {normalizeName} from '../lib/packaging/names.js'
import {PackageStorage} from '../lib/storage/package-storage.js'
import {fillCache, type FillReport} from '../lib/tasks/fill-cache.js'
import {rebuildCache, type RebuildReport} from '../lib/tasks/rebuild/rebuild.js'
import {PpcCommand, configArgument, quietFlag, waitFlagWith} from '../lib/terminal/command.js'
import {keepHeapLean} from '../lib/terminal/lean-heap.js'
import {count, number, startProgress} from '../lib/terminal/progress.js'

export default class RebuildCache extends PpcCommand {
  static override audit = 'cache.rebuild'
  static override summary = 'List the storage anew and bring the cache in step with it.'
  static override description =
    'Safe while servers run: the index is complete at every moment, what is published or deleted meanwhile stays so, and ' +
    'only one rebuild runs at a time. What in the storage is no distribution file is reported and left alone. Objects that ' +
    'are as the cache has seen them are not asked about again, unless --full is given.'
  static override examples = [
    '<%= config.bin %> server.ini',
    '<%= config.bin %> server.ini --quiet',
    '<%= config.bin %> server.ini --full --project requests --project flask',
    '<%= config.bin %> server.ini --dry-run --exit-code',
    '<%= config.bin %> postgresql.ini --from-cache sqlite.ini',
  ]
  static override enableJsonFlag = true
  static override args = {config: Args.string(configArgument)}
  static override flags = {
    incremental: Flags.boolean({
      summary: 'Read the metadata of objects that are new or have changed. The default.',
      exclusive: ['full'],
    }),
    graceful: Flags.boolean({
      summary: 'Keep the index complete meanwhile. Every rebuild does: only scripts need to say so.',
    }),
    full: Flags.boolean({
      summary: 'Read the metadata of every object, and write every row anew that says something else.',
      default: false,
      exclusive: ['from-cache'],
    }),
    project: Flags.string({
      summary: 'Only this project; can be given several times.',
      helpValue: 'NAME',
      multiple: true,
      multipleNonGreedy: true,
      exclusive: ['from-cache'],
    }),
    'from-cache': Flags.string({
      summary: 'Copy the rows of the cache of this config, which has the same storage, and list nothing.',
      helpValue: 'OLD',
    }),
    'dry-run': Flags.boolean({summary: 'Say what would change, and change nothing.', default: false}),
    'exit-code': Flags.boolean({summary: 'Exit with 4 when something differed: with --dry-run, a check.'}),
    'allow-empty': Flags.boolean({
      summary: 'Believe an empty storage: without it, that counts as a disk that is not mounted.',
      default: false,
    }),
    concurrency: Flags.integer({
      summary: 'How many requests for metadata at once; 64 where nothing else is said.',
      min: 1,
      max: 1024,
      helpValue: 'REQUESTS',
    }),
    ...quietFlag,
    ...waitFlagWith(', or another rebuild runs'),
  }

  async run(): Promise<RebuildReport | FillReport> {
    keepHeapLean()
    const {args, flags} = await this.parse(RebuildCache)
    this.quiet = flags.quiet
    const config = await this.readConfig(args.config)
    const report =
      flags['from-cache'] === undefined
        ? await this.rebuild(config, flags)
        : await this.fill(config, await this.readConfig(flags['from-cache']), flags)
    const differs = report.added + report.updated + ('removed' in report ? report.removed : 0) > 0
    if (flags['exit-code'] && differs) process.exitCode = ExitCode.findings
    if ('unread' in report && report.unread > 0) process.exitCode = ExitCode.partly
    return report
  }

  private async rebuild(config: Config, flags: RebuildFlags): Promise<RebuildReport> {
    await using backends = await this.waitFor(flags.wait, () => openBackends(config, ['storage', 'cache']))
    const parts = {storage: new PackageStorage(backends.storage), cache: backends.cache}
    const progress = await startProgress('Rebuilding:', 'files', !flags.quiet && !this.jsonEnabled())
    let report: RebuildReport
    try {
      const rebuild = () =>
        rebuildCache(parts, {
          owner: this.owner,
          full: flags.full,
          ...(flags.project && {projects: new Set(flags.project.map(normalizeName))}),
          ...(flags.concurrency !== undefined && {concurrency: flags.concurrency}),
          dryRun: flags['dry-run'],
          allowEmpty: flags['allow-empty'],
          signal: this.signal,
          onProgress: ({listed, expected, checked}) => {
            if (checked > 0) progress.update(checked, {label: 'Looking for files that are gone:'})
            else
              progress.update(listed, {
                total: expected !== undefined && expected > listed ? expected : undefined,
              })
          },
          onChange: (kind, {filename}) => {
            if (flags['dry-run']) this.tell(`would be ${kind}: ${filename}`, progress)
          },
        })
      report = await this.waitFor(flags.wait, rebuild, error => error instanceof LockHeld)
    } finally {
      progress.stop()
    }
    this.describe(report)
    return report
  }

  private async fill(config: Config, old: Config, flags: RebuildFlags): Promise<FillReport> {
    await using target = await this.waitFor(flags.wait, () => openBackends(config, ['cache']))
    await using source = await this.waitFor(flags.wait, () => openBackends(old, ['cache']))
    const progress = await startProgress('Copying:', 'rows', !flags.quiet && !this.jsonEnabled())
    let report: FillReport
    try {
      const fill = () =>
        fillCache(source.cache, target.cache, {
          owner: this.owner,
          dryRun: flags['dry-run'],
          signal: this.signal,
          onProgress: rows => progress.update(rows),
          onChange: (kind, {filename}) => {
            if (flags['dry-run']) this.tell(`would be ${kind}: ${filename}`, progress)
          },
        })
      report = await this.waitFor(flags.wait, fill, error => error instanceof LockHeld)
    } finally {
      progress.stop()
    }
    const newer = report.newer > 0 ? `; ${number(report.newer)} newer here` : ''
    this.tell(
      `${report.dryRun ? 'Would be' : 'From the other cache:'} ${number(report.added)} added, ` +
        `${number(report.updated)} updated; ${number(report.unchanged)} unchanged${newer} (${report.seconds.toFixed(1)} s).`,
    )
    if (!report.complete) {
      this.tell('The other cache is not complete, so that this one has to be rebuilt from the storage, too.')
    }
    return report
  }

  private get owner(): string {
    return `${this.config.bin} on ${hostname()}, process ${process.pid}`
  }

  private describe(report: RebuildReport): void {
    for (const {key, reason, unreadable} of report.oddities) {
      if (unreadable) this.complain(`could not be read: ${key}: ${reason}`)
      else this.tell(`left alone: ${key}: ${reason}`)
    }
    const more = report.oddityCount - report.oddities.length
    if (more > 0) this.tell(`left alone: ${number(more)} more`)
    for (const project of report.sealed)
      this.tell(`${project} has no files any more; its name stays reserved`)
    if (report.unread > 0) {
      this.complain(`${count(report.unread, 'object')} could not be read: see above; rows of them stay`)
    }
    const done = report.complete ? 'The cache is complete:' : 'Done:'
    this.tell(
      `${report.dryRun ? 'Would be' : done} ${number(report.added)} added, ` +
        `${number(report.updated)} updated, ${number(report.removed)} removed; ` +
        `${number(report.unchanged)} unchanged (${report.seconds.toFixed(1)} s).`,
    )
  }
}

interface RebuildFlags {
  readonly full: boolean
  readonly project?: string[] | undefined
  readonly concurrency?: number | undefined
  readonly 'dry-run': boolean
  readonly 'allow-empty': boolean
  readonly quiet: boolean
  readonly wait: number
}
