import {Args, Flags} from '@oclif/core'
import {PpcCommand, configArgument, waitFlag} from '../lib/terminal/command.js'

export default class Serve extends PpcCommand {
  static override summary = 'Serve the package index over HTTP.'
  static override description =
    'Listens where [server:main] or [uwsgi] of the config say, unless told otherwise here. Ctrl-C or SIGTERM: running ' +
    'requests end first, then the process does. Logs go to stderr, one JSON object a line.'
  static override examples = [
    '<%= config.bin %> server.ini',
    '<%= config.bin %> server.ini --host 127.0.0.1 --port 8080',
  ]
  static override args = {config: Args.string(configArgument)}
  static override flags = {
    host: Flags.string({summary: 'Address to listen on.', helpValue: 'ADDRESS'}),
    port: Flags.integer({
      summary: 'Port to listen on; 0 takes a free one.',
      min: 0,
      max: 65535,
      helpValue: 'PORT',
    }),
    workers: Flags.integer({summary: 'How many processes serve.', min: 1, max: 1024, helpValue: 'N'}),
    ...waitFlag,
  }

  async run(): Promise<void> {
    const {args, flags} = await this.parse(Serve)
    const config = await this.readConfig(args.config)
    const {serve} = await import('../lib/server/serve.js')
    const server = await this.waitFor(flags.wait, () => serve(config, {...flags, configPath: args.config}))
    this.tell(`Serving ${config.file} at ${server.url}`)
    if (this.signal.aborted) await server.close() // a signal that came before the server listened to them
    await server.closed
  }
}
