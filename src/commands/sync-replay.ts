import {Args, Flags} from '@oclif/core'
import {openBackends} from '../lib/backends.js'
import {ExitCode} from '../lib/errors.js'
import {PackageStorage} from '../lib/storage/package-storage.js'
import {replayEvents, type ReplayReport} from '../lib/tasks/sync/replay.js'
import {PpcCommand, configArgument, quietFlag, waitFlag} from '../lib/terminal/command.js'
import {keepHeapLean} from '../lib/terminal/lean-heap.js'
import {count, number, startProgress} from '../lib/terminal/progress.js'
import {parseSince} from '../lib/terminal/units.js'

export default class SyncReplay extends PpcCommand {
  static override summary = 'Do what lost events of the bucket would have done.'
  static override description =
    'Lists the storage and looks at every object that was written since then, and at every file of the cache that is not ' +
    'stored any more. Quicker than a rebuild where most is as it was; what is older and was never listed only a rebuild ' +
    'finds. Safe while servers, rebuilds and other replays run.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> server.ini --since 24h',
    '<%= config.bin %> <%= command.id %> server.ini --since 2026-11-20T18:00:00Z --dry-run --exit-code',
  ]
  static override enableJsonFlag = true
  static override args = {config: Args.string(configArgument)}
  static override flags = {
    since: Flags.string({
      summary: 'A date, a time (UTC where it names no zone), or an age: 90m, 12h, 7d, 2w.',
      helpValue: 'TIME',
      required: true,
    }),
    'dry-run': Flags.boolean({summary: 'Say what would change, and change nothing.', default: false}),
    'exit-code': Flags.boolean({summary: 'Exit with 4 when something differed: with --dry-run, a check.'}),
    concurrency: Flags.integer({
      summary: 'How many objects are looked at at once; 32 where nothing else is said.',
      min: 1,
      max: 1024,
      helpValue: 'OBJECTS',
    }),
    ...quietFlag,
    ...waitFlag,
  }

  async run(): Promise<ReplayReport> {
    keepHeapLean()
    const {args, flags} = await this.parse(SyncReplay)
    this.quiet = flags.quiet
    const since = parseSince('--since', flags.since)
    const config = await this.readConfig(args.config)
    await using backends = await this.waitFor(flags.wait, () => openBackends(config, ['storage', 'cache']))
    const parts = {storage: new PackageStorage(backends.storage), cache: backends.cache}
    const progress = await startProgress('Listing:', 'files', !flags.quiet && !this.jsonEnabled())
    let report: ReplayReport
    try {
      report = await replayEvents(parts, {
        since,
        dryRun: flags['dry-run'],
        ...(flags.concurrency !== undefined && {concurrency: flags.concurrency}),
        signal: this.signal,
        onProgress: listed => progress.update(listed),
        onChange: ({kind, file}) =>
          this.tell(`${flags['dry-run'] ? 'would be ' : ''}${kind}: ${file.filename}`, progress),
        onFailure: (key, reason) => this.tell(`left as it is: ${key}: ${reason}`, progress),
      })
    } finally {
      progress.stop()
    }
    this.describe(report)
    const differs = report.added + report.updated + report.removed > 0
    if (flags['exit-code'] && differs) process.exitCode = ExitCode.findings
    if (report.failed > 0) process.exitCode = ExitCode.partly
    return report
  }

  private describe(report: ReplayReport): void {
    for (const project of report.sealed) {
      this.tell(`${project} has no files any more; its name stays reserved`)
    }
    if (report.failed > 0) this.tell(`${count(report.failed, 'object')} could not be looked at: see above`)
    this.tell(
      `${report.dryRun ? 'Would be' : 'Done:'} ${number(report.added)} added, ${number(report.updated)} updated, ` +
        `${number(report.removed)} removed; looked at ${number(report.looked)} of ${number(report.listed)} ` +
        `(${report.seconds.toFixed(1)} s).`,
    )
  }
}
