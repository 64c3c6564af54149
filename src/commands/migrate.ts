import {Args, Flags, type Interfaces} from '@oclif/core'
import {hostname} from 'node:os'
import {openBackends, type Backends, type Part} from '../lib/backends.js'
import {ExitCode, UsageError} from '../lib/errors.js'
import {
  migrateFiles,
  strategies,
  type MigrateOptions,
  type MigrateProgress,
  type MigrateReport,
} from '../lib/tasks/migrate/migrate.js'
import {findStorage} from '../lib/storage/registry.js'
import type {ObjectStore} from '../lib/storage/storage.js'
import {PpcCommand, quietFlag, waitFlag} from '../lib/terminal/command.js'
import {keepHeapLean} from '../lib/terminal/lean-heap.js'
import {MigrateStory} from '../lib/terminal/migrate-story.js'
import {checkOutputFile, writePrivateFile} from '../lib/terminal/output-file.js'
import {startProgress} from '../lib/terminal/progress.js'
import {askRemoval} from '../lib/terminal/removal-question.js'
import {canPrompt} from '../lib/terminal/prompts.js'
import {parseRate, parseSince} from '../lib/terminal/units.js'

const phases: Readonly<Record<MigrateProgress['phase'], string>> = {
  listing: 'Listing:',
  copying: 'Migrating:',
  removing: 'Removing:',
}

const flags = {
  strategy: Flags.option({
    summary: 'What happens to a file of which NEW has other bytes.',
    options: strategies,
    default: 'skip' as const,
  })(),
  only: Flags.string({
    summary: 'Nothing but this project, in any spelling. Can be given several times.',
    helpValue: 'PROJECT',
    multiple: true,
    multipleNonGreedy: true,
  }),
  since: Flags.string({
    summary: 'Nothing that was published before: 2026-11-20, 2026-11-20T18:00:00Z, or an age like 12h or 7d.',
    helpValue: 'TIME',
  }),
  'dry-run': Flags.boolean({summary: 'Say what would be done, and change nothing.', default: false}),
  'verify-only': Flags.boolean({
    summary:
      'Compare the bytes of every file at both ends, and change nothing. Exits with 4 when some differ.',
    default: false,
    exclusive: ['dry-run', 'delete-source', 'update-cache'],
  }),
  'delete-source': Flags.boolean({
    summary: 'Remove from OLD, at the end, what is verified to be in NEW.',
    default: false,
  }),
  'update-cache': Flags.boolean({summary: 'List the files in the cache of NEW too.', default: false}),
  link: Flags.option({
    summary: 'Between directories: links where the file system can, instead of copies.',
    options: ['never', 'hard', 'reflink', 'symlink'] as const,
    default: 'never' as const,
  })(),
  bandwidth: Flags.string({
    summary: 'Read no faster than this, all transfers together: 10MB/s, 500k.',
    helpValue: 'RATE',
  }),
  concurrency: Flags.integer({summary: 'How many files at once.', min: 1, max: 1024, helpValue: 'FILES'}),
  yes: Flags.boolean({char: 'y', summary: 'Remove without asking.', default: false}),
  report: Flags.string({summary: 'Write the report as JSON to this file too.', helpValue: 'FILE'}),
  ...quietFlag,
  ...waitFlag,
}
type Given = Interfaces.InferredFlags<typeof flags>

export default class Migrate extends PpcCommand {
  static override summary = 'Copy every distribution file from one storage to another.'
  static override description =
    'Skips what is there already and equal, checks what it copied, and can be stopped at any moment and run again. The ' +
    'source is only read, unless --delete-source is given. When some files failed, the others are copied, the failed ones ' +
    'are listed, and the exit code is 3. A lock in NEW keeps two migrations apart.\n\n' +
    '--strategy says what happens to a file of which NEW has other bytes: skip keeps and lists it; newer takes the one ' +
    'with the later recorded upload time; overwrite replaces it; mirror replaces it too, and removes from NEW what OLD ' +
    'lacks; fail copies nothing at all.\n\n' +
    'The cache of NEW does not change without --update-cache: run ppc-rebuild-cache on it afterwards.'
  static override examples = [
    '<%= config.bin %> old.ini new.ini --dry-run',
    '<%= config.bin %> old.ini new.ini --update-cache',
    '<%= config.bin %> old.ini new.ini --strategy mirror --yes --quiet',
    '<%= config.bin %> old.ini new.ini --only acme-core --since 7d',
    '<%= config.bin %> old.ini new.ini --verify-only',
  ]
  static override enableJsonFlag = true
  static override args = {
    old: Args.string({required: true, ignoreStdin: true, description: 'config of the storage to read'}),
    new: Args.string({required: true, ignoreStdin: true, description: 'config of the storage to fill'}),
  }
  static override flags = flags

  async run(): Promise<MigrateReport> {
    const {args, flags: given} = await this.parse(Migrate)
    keepHeapLean()
    this.quiet = given.quiet
    const options = this.options(given)
    if (given.report !== undefined) await checkOutputFile(given.report)
    const from = await this.readConfig(args.old)
    const to = await this.readConfig(args.new)
    const changes = !given['dry-run'] && !given['verify-only']
    const parts: Part[] = given['update-cache'] && changes ? ['storage', 'cache'] : ['storage']
    findStorage(to).catch(() => undefined) // its code loads while the source answers
    await using source = await this.waitFor(given.wait, () => openBackends(from, ['storage']))
    await using target = await this.waitFor(given.wait, () => openBackends(to, parts))
    const {storage, cache} = target as Partial<Backends> & Pick<Backends, 'storage'>
    if (changes && !storage.notes) {
      this.tell(`${storage.name} has no place for a lock: see to it that no other migration runs`)
    }
    const tell = async (done: MigrateReport) => {
      const verifies = given['verify-only']
      this.describe(done, {source: source.storage.name, target: storage.name, verifies})
      if (given.report !== undefined) await writeReport(given.report, done) // a full disk is told after it
    }
    const more = {...(cache && {cache}), onInterrupted: tell}
    const report = await this.migrate(source.storage, storage, {...options, ...more})
    await tell(report)
    if (report.stopped) process.exitCode = report.stopped.exitCode
    else if (report.failedCount > 0) {
      process.exitCode = given['verify-only'] ? ExitCode.findings : ExitCode.partly
    }
    return report
  }

  /** @throws {UsageError} before anything is opened. */
  private options(given: Given): MigrateOptions {
    const changes = !given['dry-run'] && !given['verify-only']
    if (given.strategy === 'mirror' && changes && !given.yes && !canPrompt()) {
      throw new UsageError(
        '--strategy mirror removes files, and there is no terminal to ask on: give --yes',
        {
          hint: 'With --dry-run it says how many.',
        },
      )
    }
    return {
      strategy: given.strategy,
      ...(given.only && {only: given.only}),
      ...(given.since !== undefined && {since: parseSince('--since', given.since)}),
      dryRun: given['dry-run'],
      verifyOnly: given['verify-only'],
      deleteSource: given['delete-source'],
      ...(given.link !== 'never' && {link: given.link}),
      ...(given.bandwidth !== undefined && {bytesPerSecond: parseRate('--bandwidth', given.bandwidth)}),
      ...(given.concurrency !== undefined && {concurrency: given.concurrency}),
      ...(!given.yes && {confirmRemoval: askRemoval}),
      owner: `${this.config.bin} on ${hostname()}, process ${process.pid}`,
      signal: this.signal,
    }
  }

  private async migrate(
    source: ObjectStore,
    target: ObjectStore,
    options: MigrateOptions,
  ): Promise<MigrateReport> {
    const isShown = !this.quiet && !this.jsonEnabled()
    const progress = await startProgress(phases.listing, 'files', isShown)
    const {confirmRemoval} = options
    try {
      return await migrateFiles(source, target, {
        ...options,
        ...(confirmRemoval && {
          confirmRemoval: removal => {
            progress.stop() // a question is no place to draw on
            return confirmRemoval(removal)
          },
        }),
        onProgress: ({phase, done, total, bytes}) =>
          progress.update(done, {label: phases[phase], total, bytes}),
      })
    } finally {
      progress.stop()
    }
  }

  private describe(report: MigrateReport, about: ConstructorParameters<typeof MigrateStory>[1]): void {
    const story = new MigrateStory(report, about)
    for (const line of story.lines()) this.tell(line)
    for (const line of story.failures()) this.complain(line)
    this.tell(story.summary())
  }
}

const writeReport = (path: string, report: MigrateReport): Promise<void> =>
  writePrivateFile(path, out => Promise.resolve(void out.write(`${JSON.stringify(report, null, 2)}\n`)))
