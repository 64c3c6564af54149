import {Args, Flags} from '@oclif/core'
import {open} from 'node:fs/promises'
import {addAbortSignal} from 'node:stream'
import type {LoadReport} from '../lib/access/access.js'
import {openBackends} from '../lib/backends.js'
import {importAccess} from '../lib/tasks/import-access.js'
import {PpcCommand, configArgument, quietFlag, waitFlag} from '../lib/terminal/command.js'
import {count} from '../lib/terminal/progress.js'

export default class Import extends PpcCommand {
  static override summary = 'Add the users, groups and permissions of an export.'
  static override description =
    'Reads what ppc-export, pypicloud or /admin/acl.json.gz wrote, plain or gzip. Adds what is missing and takes over who ' +
    'is an administrator; existing passwords stay and nothing is removed, so it can be repeated. A damaged file changes ' +
    'nothing. With pypi.auth = config it prints the lines to put into the config instead.'
  static override examples = [
    '<%= config.bin %> server.ini -i acl.json.gz --dry-run',
    '<%= config.bin %> server.ini -i acl.json.gz',
    'ppc-export old.ini | <%= config.bin %> new.ini',
  ]
  static override enableJsonFlag = true
  static override args = {config: Args.string(configArgument)}
  static override flags = {
    input: Flags.string({char: 'i', helpValue: 'FILE', summary: 'Read this file instead of stdin.'}),
    'dry-run': Flags.boolean({summary: 'Say what would happen, and change nothing.', default: false}),
    ...quietFlag,
    ...waitFlag,
  }

  async run(): Promise<LoadReport | {configLines: string}> {
    const {args, flags} = await this.parse(Import)
    this.quiet = flags.quiet
    const config = await this.readConfig(args.config)
    const input = await this.openInput(flags.input)
    await using backends = await this.waitFor(flags.wait, () => openBackends(config, ['access']))
    const result = await importAccess(input, backends.access, {dryRun: flags['dry-run']})
    if ('configLines' in result) {
      if (!this.jsonEnabled()) process.stdout.write(result.configLines)
      return {configLines: result.configLines}
    }
    this.describe(result.report, flags['dry-run'])
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

  private describe(report: LoadReport, dryRun: boolean): void {
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
    const would = dryRun ? 'would be ' : ''
    for (const username of report.adminsChanged) this.tell(`Administrator flag ${would}changed: ${username}`)
    if (report.registrationChanged) this.tell(`Whether people may register ${would}changed.`)
  }
}
