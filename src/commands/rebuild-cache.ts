import {Args, Flags} from '@oclif/core'
import {hostname} from 'node:os'
import {openBackends} from '../lib/backends.js'
import {ExitCode} from '../lib/errors.js'
import {PackageStorage} from '../lib/storage/package-storage.js'
import {rebuildCache, type RebuildReport} from '../lib/tasks/rebuild/rebuild.js'
import {PpcCommand, configArgument, quietFlag, waitFlag} from '../lib/terminal/command.js'
import {number, startProgress} from '../lib/terminal/progress.js'

export default class RebuildCache extends PpcCommand {
  static override summary = 'List the storage anew and bring the cache in step with it.'
  static override description =
    'Safe while servers run: the index is never empty meanwhile, and only one rebuild runs at a time. What in the storage ' +
    'is no distribution file is reported and left alone.'
  static override examples = [
    '<%= config.bin %> server.ini',
    '<%= config.bin %> server.ini --quiet',
    '<%= config.bin %> server.ini --dry-run --exit-code',
  ]
  static override enableJsonFlag = true
  static override args = {config: Args.string(configArgument)}
  static override flags = {
    'dry-run': Flags.boolean({summary: 'Say what would change, and change nothing.', default: false}),
    'exit-code': Flags.boolean({summary: 'Exit with 4 when something differed: with --dry-run, a check.'}),
    'allow-empty': Flags.boolean({
      summary: 'Believe an empty storage: without it, that counts as a disk that is not mounted.',
      default: false,
    }),
    ...quietFlag,
    ...waitFlag,
  }

  async run(): Promise<RebuildReport> {
    const {args, flags} = await this.parse(RebuildCache)
    this.quiet = flags.quiet
    const config = await this.readConfig(args.config)
    await using backends = await this.waitFor(flags.wait, () => openBackends(config, ['storage', 'cache']))
    const parts = {storage: new PackageStorage(backends.storage), cache: backends.cache}
    const progress = await startProgress('Rebuilding:', 'files', !flags.quiet && !this.jsonEnabled())
    let report: RebuildReport
    try {
      report = await rebuildCache(parts, {
        owner: `${this.config.bin} on ${hostname()}, process ${process.pid}`,
        dryRun: flags['dry-run'],
        allowEmpty: flags['allow-empty'],
        signal: this.signal,
        onProgress: ({listed}) => progress.update(listed),
        onChange: (kind, {filename}) => {
          if (flags['dry-run']) this.tell(`would be ${kind}: ${filename}`, progress)
        },
      })
    } finally {
      progress.stop()
    }
    this.describe(report)
    const differs = report.added + report.updated + report.removed > 0
    if (flags['exit-code'] && differs) process.exitCode = ExitCode.findings
    return report
  }

  private describe(report: RebuildReport): void {
    for (const {key, reason} of report.oddities) this.tell(`left alone: ${key}: ${reason}`)
    const more = report.oddityCount - report.oddities.length
    if (more > 0) this.tell(`left alone: ${number(more)} more`)
    for (const project of report.sealed)
      this.tell(`${project} has no files any more; its name stays reserved`)
    this.tell(
      `${report.dryRun ? 'Would be' : 'The cache is complete:'} ${number(report.added)} added, ` +
        `${number(report.updated)} updated, ${number(report.removed)} removed; ` +
        `${number(report.unchanged)} unchanged (${report.seconds.toFixed(1)} s).`,
    )
  }
}
