import {Args, Flags} from '@oclif/core'
import {open} from 'node:fs/promises'
import {addAbortSignal} from 'node:stream'
import type {Access, LoadReport} from '../lib/access/access.js'
import {openBackends} from '../lib/backends.js'
import {ExitCode} from '../lib/errors.js'
import {importAccess} from '../lib/tasks/import-access.js'
import {AccessCommand, yesFlag} from '../lib/terminal/access-command.js'
import {configArgument, quietFlag, waitFlag} from '../lib/terminal/command.js'
import {describeDifferences} from '../lib/terminal/differences.js'
import {keepHeapLean} from '../lib/terminal/lean-heap.js'
import {count} from '../lib/terminal/progress.js'
import {canPrompt, refuseToGuess} from '../lib/terminal/prompts.js'

/** Of each kind. All of them could be a million. */
const someNames = 10
const manyNames = 10_000

export default class Import extends AccessCommand {
  static override audit = 'access.import'
  static override summary = 'Add the users, groups and permissions of an export.'
  static override description =
    'Reads what ppc-export, pypicloud or /admin/acl.json.gz wrote, plain or gzip. Adds what is missing and takes over who ' +
    'is an administrator; existing passwords stay and nothing is removed, so it can be repeated. A damaged file changes ' +
    'nothing. With --prune everything becomes equal to the file: what it lacks is removed, and passwords are taken over ' +
    'too; it asks before. With pypi.auth = config it prints the lines to put into the config instead.'
  static override examples = [
    '<%= config.bin %> server.ini -i acl.json.gz --dry-run',
    '<%= config.bin %> server.ini -i acl.json.gz',
    '<%= config.bin %> server.ini -i acl.json.gz --prune',
    'ppc-export old.ini | <%= config.bin %> new.ini',
  ]
  static override args = {config: Args.string(configArgument)}
  static override flags = {
    input: Flags.string({char: 'i', helpValue: 'FILE', summary: 'Read this file instead of stdin.'}),
    'dry-run': Flags.boolean({summary: 'Say by name what would happen, and change nothing.', default: false}),
    prune: Flags.boolean({summary: 'Remove what the file lacks, too.', default: false}),
    ...yesFlag,
    'exit-code': Flags.boolean({
      summary: 'With --dry-run, end with 4 when something would change.',
      default: false,
      dependsOn: ['dry-run'],
    }),
    verbose: Flags.boolean({
      char: 'v',
      summary: `Name up to ${manyNames} of each kind, not ${someNames}.`,
      default: false,
    }),
    ...quietFlag,
    ...waitFlag,
  }

  async run(): Promise<LoadReport | {configLines: string}> {
    const {args, flags} = await this.parse(Import)
    this.quiet = flags.quiet
    keepHeapLean()
    const {prune, 'dry-run': dryRun} = flags
    const maxNames = flags.verbose || this.jsonEnabled() ? manyNames : someNames
    const config = await this.readConfig(args.config)
    const input = await this.openInput(flags.input)
    await using backends = await this.waitFor(flags.wait, () => openBackends(config, ['access']))
    const {access} = backends
    if (prune && !dryRun && !flags.yes && access.writer) await this.askToPrune(access, flags.input, maxNames)
    const result = await importAccess(input, access, {dryRun, prune, maxNames})
    if ('configLines' in result) {
      if (!this.jsonEnabled()) process.stdout.write(result.configLines)
      return {configLines: result.configLines}
    }
    this.describe(result.report, {dryRun, names: dryRun || flags.verbose || flags.yes})
    if (flags['exit-code'] && result.report.differences.length > 0) process.exitCode = ExitCode.findings
    return result.report
  }

  private async openInput(path: string | undefined) {
    if (path !== undefined && path !== '-') {
      const file = await open(path) // a missing file is told before any database is touched
      return addAbortSignal(this.signal, file.createReadStream())
    }
    this.tell('Reading data from stdin...')
    return addAbortSignal(this.signal, process.stdin)
  }

  /** @throws {UsageError} when it is not confirmed */
  private async askToPrune(access: Access, path: string | undefined, maxNames: number): Promise<void> {
    if (path === undefined || path === '-' || !canPrompt()) refuseToGuess(['--yes']) // stdin is the dump
    const input = await this.openInput(path)
    const result = await importAccess(input, access, {dryRun: true, prune: true, maxNames})
    if (!('report' in result) || result.report.differences.length === 0) return
    this.describe(result.report, {dryRun: true, names: true})
    await this.confirm('Do that?', false)
  }

  private describe(report: LoadReport, {dryRun, names}: {dryRun: boolean; names: boolean}): void {
    for (const notice of report.notices) this.tell(notice)
    const added = [
      `${count(report.usersAdded, 'user')} (${count(report.usersKept, 'other')} there already)`,
      count(report.pendingAdded, 'pending user'),
      count(report.groupsAdded, 'group'),
      count(report.membersAdded, 'membership'),
      count(report.grantsAdded, 'permission'),
      ...(report.tokensAdded > 0 ? [count(report.tokensAdded, 'API token')] : []),
    ]
    this.tell(`${dryRun ? 'Would add' : 'Added'} ${added.join(', ')}.`)
    if (names) for (const line of describeDifferences(report.differences, dryRun)) this.tell(line)
    else this.describeChanges(report)
  }

  private describeChanges({adminsChanged, registrationChanged, differences}: LoadReport): void {
    for (const username of adminsChanged) this.tell(`Administrator flag changed: ${username}`)
    if (registrationChanged) this.tell('Whether people may register changed.')
    const removed = differences.filter(({change}) => change === 'removed')
    for (const line of describeDifferences(removed, false)) this.tell(line)
  }
}
