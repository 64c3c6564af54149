import {Args, Flags} from '@oclif/core'
import {UsageError} from '../lib/errors.js'
import {buildBundle} from '../lib/tasks/lambda-bundle/bundle.js'
import type {SyncPlan} from '../lib/tasks/s3-sync/plan.js'
import type {SetUpReport} from '../lib/tasks/s3-sync/setup.js'
import {PpcCommand, configArgument, quietFlag} from '../lib/terminal/command.js'

export default class CreateS3Sync extends PpcCommand {
  static override summary = 'Set up the AWS Lambda that feeds the cache from the events of the bucket.'
  static override description =
    'Makes what is missing of role, rights, queue for failed events, function, permission and notification, and changes ' +
    'nothing that belongs to others: what the bucket tells others it goes on to tell them. Can be run again at any time. ' +
    'Uses the AWS credentials of the environment, not those of the config.'
  static override examples = [
    '<%= config.bin %> server.ini',
    '<%= config.bin %> server.ini -r eu-central-1 --dry-run',
    '<%= config.bin %> server.ini --update',
    '<%= config.bin %> server.ini --remove',
    '<%= config.bin %> server.ini --output cloudformation > sync.json',
  ]
  static override enableJsonFlag = true
  static override args = {config: Args.string(configArgument)}
  static override flags = {
    name: Flags.string({
      char: 'n',
      summary: 'Name of the Lambda function.',
      helpValue: 'NAME',
      default: 'pypicloud_s3_sync',
    }),
    force: Flags.boolean({
      char: 'f',
      summary: 'Replace a function of that name.',
      exclusive: ['update', 'remove', 'output'],
    }),
    'role-arn': Flags.string({
      char: 'a',
      helpValue: 'ARN',
      summary: 'Role of the function, instead of one of its own.',
    }),
    region: Flags.string({char: 'r', helpValue: 'REGION', summary: "Region, instead of the config's."}),
    update: Flags.boolean({
      summary: 'Bring a function of that name up to date: code, settings, rights.',
      exclusive: ['remove', 'output'],
    }),
    remove: Flags.boolean({summary: 'Take away what was set up.', exclusive: ['output']}),
    'dry-run': Flags.boolean({summary: 'Print every call that would change something, and make none.'}),
    output: Flags.option({
      options: ['cloudformation', 'terraform'] as const,
      summary: 'Print a template that sets the same up, and call nobody.',
    })(),
    secret: Flags.string({
      helpValue: 'ARN',
      summary: 'Secret of AWS Secrets Manager with the settings, instead of the settings themselves.',
    }),
    concurrency: Flags.integer({
      summary: 'How many of the function may run at once; 0 for as many as the account allows.',
      helpValue: 'N',
      min: 0,
      default: 5,
    }),
    runtime: Flags.string({summary: 'Runtime of the function.', default: 'nodejs24.x'}),
    subnet: Flags.string({
      summary: 'Subnet from which the cache is reached; can be given several times.',
      helpValue: 'ID',
      multiple: true,
      multipleNonGreedy: true,
      dependsOn: ['security-group'],
    }),
    'security-group': Flags.string({
      summary: 'Security group of the function in these subnets; can be given several times.',
      helpValue: 'ID',
      multiple: true,
      multipleNonGreedy: true,
      dependsOn: ['subnet'],
    }),
    ...quietFlag,
  }

  async run(): Promise<SetUpReport | undefined> {
    const {args, flags} = await this.parse(CreateS3Sync)
    this.quiet = flags.quiet
    if (flags.output && this.jsonEnabled())
      throw new UsageError('--output prints a template: leave --json out')
    const config = await this.readConfig(args.config)
    const {planSync} = await import('../lib/tasks/s3-sync/plan.js')
    const plan = planSync(config, {
      name: flags.name,
      region: flags.region,
      role: flags['role-arn'],
      runtime: flags.runtime,
      concurrency: flags.concurrency,
      secret: flags.secret,
      subnets: flags.subnet,
      securityGroups: flags['security-group'],
    })
    if (plan.tellsSecrets && !flags.remove) {
      this.tell(
        'The function will have the password of db.url in its environment: --secret ARN keeps it in a secret.',
      )
    }
    if (flags.output) {
      const {templateOf} = await import('../lib/tasks/s3-sync/templates.js')
      process.stdout.write(templateOf(plan, flags.output))
      this.tell(`The bucket ${plan.bucket} has to send its events to EventBridge: see docs/lambda.md.`)
      return undefined
    }
    const {zip} = await buildBundle(config)
    return this.change(plan, zip, flags)
  }

  private async change(
    plan: SyncPlan,
    zip: Buffer,
    flags: {'dry-run': boolean; remove: boolean; update: boolean; force: boolean},
  ): Promise<SetUpReport> {
    const [{Aws}, {setUp, tearDown}] = await Promise.all([
      import('../lib/tasks/s3-sync/aws.js'),
      import('../lib/tasks/s3-sync/setup.js'),
    ])
    let changes = 0
    const dryRun = flags['dry-run']
    const tell = (line: string) => {
      if (!dryRun) this.tell(line)
    }
    using aws = new Aws({
      region: plan.region,
      dryRun,
      signal: this.signal,
      onChange: (action, input) => {
        changes += 1
        if (dryRun && !this.jsonEnabled()) process.stdout.write(`${action} ${shown(input)}\n`)
      },
    })
    if (flags.remove) {
      await tearDown(aws, plan, tell)
      this.tell(changes === 0 ? 'There is nothing to remove.' : dryRun ? 'Nothing was changed.' : 'Done.')
      const {bucket, region} = plan
      return {dryRun, changes, bucket, region, function: '', role: '', queue: ''}
    }
    const done = await setUp(
      aws,
      plan,
      {zip},
      flags.force ? 'replace' : flags.update ? 'update' : 'keep',
      tell,
    )
    this.tell(
      dryRun
        ? 'Nothing was changed.'
        : `Events of ${plan.bucket} come to ${done.function}${changes === 0 ? ', as before' : ''}.`,
    )
    return {dryRun, changes, ...done}
  }
}

/** On one line, without the bytes of the bundle and without passwords. */
function shown(input: object): string {
  const text = JSON.stringify(input, (_, value: unknown) => {
    const bytes = value as {type?: string; data?: unknown[]} | null
    return bytes?.type === 'Buffer' ? `(${bytes.data?.length ?? 0} bytes)` : value
  })
  return text.replaceAll(/:\/\/([^/:@"]*):[^/"]*@/g, '://$1:…@')
}
