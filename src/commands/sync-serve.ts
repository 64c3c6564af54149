import {Args, Flags} from '@oclif/core'
import {openBackends} from '../lib/backends.js'
import {openSyncEntry} from '../lib/server/sync-entry.js'
import {PackageStorage} from '../lib/storage/package-storage.js'
import {bucketOf} from '../lib/tasks/sync/bucket.js'
import {ObjectSync} from '../lib/tasks/sync/object-sync.js'
import {PpcCommand, configArgument, waitFlag} from '../lib/terminal/command.js'

/** Of the environment: a token on a command line is seen by everybody on the machine. */
const tokenVariable = 'PPC_SYNC_TOKEN'

export default class SyncServe extends PpcCommand {
  static override summary = 'Feed the cache from notifications that services post by HTTP.'
  static override description =
    'For Google Cloud Storage (push subscriptions of Pub/Sub), Azure (webhooks of Event Grid), and services that post events ' +
    'as S3 has them, as MinIO does; for AWS there is ppc-build-lambda-bundle. A sender has to give the token of the variable ' +
    `${tokenVariable}, as "Authorization: Bearer" or as ?token= in the address; without that variable anybody may. GET answers ` +
    'whether all is well. The log goes to stderr, one JSON object a line.'
  static override examples = [
    '<%= config.bin %> <%= command.id %> server.ini',
    '<%= config.bin %> <%= command.id %> server.ini --host 0.0.0.0 --port 8080',
  ]
  static override args = {config: Args.string(configArgument)}
  static override flags = {
    host: Flags.string({summary: 'Address to listen on.', helpValue: 'ADDRESS', default: '127.0.0.1'}),
    port: Flags.integer({
      summary: 'Port to listen on; 0 takes a free one.',
      min: 0,
      max: 65535,
      helpValue: 'PORT',
      default: 8080,
    }),
    ...waitFlag,
  }

  async run(): Promise<void> {
    const {args, flags} = await this.parse(SyncServe)
    const config = await this.readConfig(args.config)
    const bucket = bucketOf(config)
    await using backends = await this.waitFor(flags.wait, () => openBackends(config, ['storage', 'cache']))
    const {storage, cache} = backends
    const target = {bucket, sync: new ObjectSync({storage: new PackageStorage(storage), cache})}
    const token = process.env[tokenVariable] || undefined
    const entry = await openSyncEntry(() => Promise.resolve(target), {
      host: flags.host,
      port: flags.port,
      token,
      log: process.stderr,
      check: async () => {
        await Promise.all([storage.check(), cache.check()])
      },
    })
    this.tell(`Taking notifications of ${bucket} at ${entry.url}`)
    if (token === undefined)
      this.tell(`${tokenVariable} is not set: whoever reaches this address may send some.`)
    if (!this.signal.aborted) {
      await new Promise(resolve => this.signal.addEventListener('abort', resolve, {once: true}))
    }
    await entry.close()
  }
}
