import {Args, Flags} from '@oclif/core'
import {openBackends} from '../lib/backends.js'
import type {Config} from '../lib/config/config.js'
import {ensureAdmin, ensureConfig, usageLines} from '../lib/tasks/quickstart.js'
import {getWriter} from '../lib/tasks/access-writer.js'
import {PpcCommand} from '../lib/terminal/command.js'

export default class Quickstart extends PpcCommand {
  static override summary =
    'Start a working, protected index: makes its config, an administrator and its folders.'
  static override description =
    'Needs nothing but a directory: files are stored there, users and the list of files in SQLite. The password of the ' +
    'administrator is made up and shown once. Started again, it uses what is there. It is an ordinary index: what it writes ' +
    'works with every other command.'
  static override examples = ['<%= config.bin %>', '<%= config.bin %> /srv/index --host 0.0.0.0 --port 8080']
  static override args = {
    directory: Args.string({
      ignoreStdin: true,
      default: 'ppc-index',
      description: 'where everything is kept',
    }),
  }
  static override flags = {
    host: Flags.string({summary: 'Address to listen on.', default: '127.0.0.1', helpValue: 'ADDRESS'}),
    port: Flags.integer({
      summary: 'Port to listen on; 0 takes a free one.',
      default: 6543,
      min: 0,
      max: 65535,
      helpValue: 'PORT',
    }),
  }

  async run(): Promise<void> {
    const {args, flags} = await this.parse(Quickstart)
    const {file, created} = await ensureConfig(args.directory)
    const config = await this.readConfig(file)
    const fresh = await this.createAdmin(config)
    const {serve} = await import('../lib/server/serve.js')
    const server = await serve(config, {host: flags.host, port: flags.port})
    this.log(`The index is at ${server.url}`)
    this.log(`Its config is ${file}${created ? '' : ', made before'}`)
    if (!fresh) this.log('The password of "admin" was shown when it was created; put it for PASSWORD:')
    for (const line of usageLines(server.url, fresh ?? {username: 'admin', password: 'PASSWORD'}))
      this.log(`  ${line}`)
    this.log(`More users: ppc user create ${file} NAME. Ctrl-C ends the index.`)
    if (this.signal.aborted) await server.close()
    await server.closed
  }

  /** Shown as soon as it exists: whatever fails later, the password is not lost. */
  private async createAdmin(config: Config) {
    await using backends = await openBackends(config, ['access'])
    const created = await ensureAdmin(
      config,
      getWriter(backends.access, config, 'make an administrator in it'),
    )
    if (created) {
      this.log(`Administrator: ${created.username}`)
      this.log(`Password:      ${created.password}   (shown this once)`)
    }
    return created
  }
}
