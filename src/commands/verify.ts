import {Args, Flags} from '@oclif/core'
import {hostname} from 'node:os'
import {openBackends} from '../lib/backends.js'
import {ExitCode} from '../lib/errors.js'
import {normalizeName} from '../lib/packaging/names.js'
import {PackageStorage} from '../lib/storage/package-storage.js'
import {findingKinds, type Finding} from '../lib/tasks/verify/findings.js'
import {verifyIndex, type VerifyReport} from '../lib/tasks/verify/verify.js'
import {PpcCommand, configArgument, quietFlag, waitFlag} from '../lib/terminal/command.js'
import {keepHeapLean} from '../lib/terminal/lean-heap.js'
import {count, number, size, startProgress} from '../lib/terminal/progress.js'

export default class Verify extends PpcCommand {
  static override audit = 'storage.repair'
  static override summary = 'Compare storage, cache and the digests of all files.'
  static override description =
    'Reports files that are missing, not listed, damaged, doubled or in directories where nobody looks, rows that say ' +
    'something else than the storage, and what crashes have left. Safe while servers run, and changes nothing without ' +
    '--repair, which mends what can be mended without losing anything: it lists and unlists files, moves misplaced ones ' +
    'and removes leftovers that are a day old. The exit code is 4 when findings are left.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> server.ini',
    '<%= config.bin %> <%= command.id %> server.ini --quick --json',
    '<%= config.bin %> <%= command.id %> server.ini --repair',
  ]
  static override enableJsonFlag = true
  static override args = {config: Args.string(configArgument)}
  static override flags = {
    quick: Flags.boolean({summary: 'Compare storage and cache only, without reading files.', default: false}),
    project: Flags.string({
      summary: 'Only this project; can be given several times.',
      helpValue: 'NAME',
      multiple: true,
      multipleNonGreedy: true,
    }),
    repair: Flags.boolean({summary: 'Mend what can be mended without losing anything.', default: false}),
    concurrency: Flags.integer({
      summary: 'How many files at once: 32 of a bucket and 8 of a directory, if not given.',
      min: 1,
      max: 1024,
      helpValue: 'FILES',
    }),
    ...quietFlag,
    ...waitFlag,
  }

  protected override auditAction(flags: Readonly<Record<string, unknown>>): string | undefined {
    return flags['repair'] === true ? super.auditAction(flags) : undefined
  }

  async run(): Promise<VerifyReport> {
    const {args, flags} = await this.parse(Verify)
    keepHeapLean()
    this.quiet = flags.quiet
    const config = await this.readConfig(args.config)
    await using backends = await this.waitFor(flags.wait, () => openBackends(config, ['storage', 'cache']))
    const parts = {storage: new PackageStorage(backends.storage), cache: backends.cache}
    const progress = await startProgress('Verifying:', 'files', !flags.quiet && !this.jsonEnabled())
    let report: VerifyReport
    try {
      report = await verifyIndex(parts, {
        digests: !flags.quick,
        ...(flags.project && {projects: new Set(flags.project.map(normalizeName))}),
        ...(flags.repair && {
          repair: {owner: `${this.config.bin} on ${hostname()}, process ${process.pid}`},
        }),
        ...(flags.concurrency !== undefined && {concurrency: flags.concurrency}),
        signal: this.signal,
        onFinding: finding => {
          if (finding.repaired) this.tell(describe(finding), progress)
          else this.complain(describe(finding), progress)
        },
        onProgress: files => progress.update(files),
      })
    } finally {
      progress.stop()
    }
    this.summarize(report)
    if (report.open > 0) process.exitCode = ExitCode.findings
    return report
  }

  private summarize(report: VerifyReport): void {
    const {files, bytes, withoutDigest, counts, open, cacheIsComplete} = report
    if (!cacheIsComplete) {
      this.tell('The cache was never built whole: run ppc-rebuild-cache, or start the server once.')
    }
    if (withoutDigest > 0) {
      this.tell(`${count(withoutDigest, 'file')} could be read but had no digest to compare with.`)
    }
    const found = findingKinds.filter(kind => counts[kind] > 0).map(kind => `${number(counts[kind])} ${kind}`)
    const read = bytes > 0 ? `, ${size(bytes)} read` : ''
    this.tell(
      `${count(files, 'file')}${read}: ${found.length > 0 ? found.join(', ') : 'all is well'}` +
        `${found.length > 0 && open === 0 ? '; all mended' : ''} (${report.seconds.toFixed(1)} s).`,
    )
  }
}

const describe = ({kind, key, reason, repaired}: Finding): string =>
  `${kind}${repaired === true ? ' (mended)' : ''}: ${key} ${reason}`
