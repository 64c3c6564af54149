import {Args, Flags} from '@oclif/core'
import {openBackends} from '../lib/backends.js'
import {ExitCode} from '../lib/errors.js'
import type {ObjectStore} from '../lib/storage/storage.js'
import {migrateFiles, type MigrateReport} from '../lib/tasks/migrate.js'
import {PpcCommand, quietFlag, waitFlag} from '../lib/terminal/command.js'
import {count, number, size, startProgress} from '../lib/terminal/progress.js'

export default class Migrate extends PpcCommand {
  static override summary = 'Copy every distribution file from one storage to another.'
  static override description =
    'Skips what is there already and equal, checks what it copied, and can be run again after it was stopped. The source ' +
    'is only read. The cache of NEW does not change: run ppc-rebuild-cache on it afterwards. When some files failed, ' +
    'the others are copied, the failed ones are listed, and the exit code is 3.'
  static override examples = [
    '<%= config.bin %> old.ini new.ini --dry-run',
    '<%= config.bin %> old.ini new.ini && ppc-rebuild-cache new.ini',
  ]
  static override enableJsonFlag = true
  static override args = {
    old: Args.string({required: true, ignoreStdin: true, description: 'config of the storage to read'}),
    new: Args.string({required: true, ignoreStdin: true, description: 'config of the storage to fill'}),
  }
  static override flags = {
    'dry-run': Flags.boolean({summary: 'Say what would be copied, and change nothing.', default: false}),
    concurrency: Flags.integer({summary: 'How many files at once.', min: 1, max: 1024, helpValue: 'FILES'}),
    ...quietFlag,
    ...waitFlag,
  }

  async run(): Promise<MigrateReport> {
    const {args, flags} = await this.parse(Migrate)
    this.quiet = flags.quiet
    const from = await this.readConfig(args.old)
    const to = await this.readConfig(args.new)
    await using source = await this.waitFor(flags.wait, () => openBackends(from, ['storage']))
    await using target = await this.waitFor(flags.wait, () => openBackends(to, ['storage']))
    const report = await this.migrate(source.storage, target.storage, flags)
    this.describe(report, source.storage.name, target.storage.name, flags['dry-run'])
    if (report.failed.length > 0) process.exitCode = ExitCode.partly
    return report
  }

  private async migrate(
    source: ObjectStore,
    target: ObjectStore,
    flags: {'dry-run': boolean; concurrency?: number | undefined},
  ): Promise<MigrateReport> {
    const progress = await startProgress('Migrating:', 'files', !this.quiet && !this.jsonEnabled())
    try {
      return await migrateFiles(source, target, {
        dryRun: flags['dry-run'],
        ...(flags.concurrency !== undefined && {concurrency: flags.concurrency}),
        signal: this.signal,
        onProgress: ({report}) => progress.update(report.copied + report.skipped + report.failed.length),
      })
    } finally {
      progress.stop()
    }
  }

  private describe(report: MigrateReport, source: string, target: string, dryRun: boolean): void {
    const {copied, skipped, failed, oddities} = report
    for (const {key, reason} of oddities) this.tell(`left alone: ${key}: ${reason}`)
    if (!this.jsonEnabled()) {
      for (const {filename, reason} of failed) process.stderr.write(`failed: ${filename}: ${reason}\n`)
    }
    const amount = `${count(copied, 'file')} (${size(report.bytes)})`
    this.tell(
      `${dryRun ? 'Would copy' : 'Copied'} ${amount} from ${source} to ${target}, ` +
        `${number(skipped)} there already, ${number(failed.length)} failed.`,
    )
  }
}
