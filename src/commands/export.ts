import {Args, Flags} from '@oclif/core'
import type {Access} from '../lib/access/access.js'
import {addAbortSignal, type Writable} from 'node:stream'
import {pipeline} from 'node:stream/promises'
import {createGzip} from 'node:zlib'
import {openBackends} from '../lib/backends.js'
import {exportAccess} from '../lib/tasks/export-access.js'
import {PpcCommand, configArgument, quietFlag, waitFlag} from '../lib/terminal/command.js'
import {keepHeapLean} from '../lib/terminal/lean-heap.js'
import {writePrivateFile} from '../lib/terminal/output-file.js'

export default class Export extends PpcCommand {
  static override audit = 'access.export'
  static override summary = 'Write all users, groups and permissions as JSON.'
  static override description =
    'Holds password hashes, never passwords. ppc-import reads it, and so does pypicloud. Opens nothing but the access ' +
    'backend of the config.'
  static override examples = [
    '<%= config.bin %> server.ini -o acl.json.gz',
    '<%= config.bin %> old.ini | ppc-import new.ini',
  ]
  static override args = {config: Args.string(configArgument)}
  static override flags = {
    output: Flags.string({
      char: 'o',
      helpValue: 'FILE',
      summary: 'Write to this file instead of stdout, compressed if its name ends with .gz.',
    }),
    ...quietFlag,
    ...waitFlag,
  }

  async run(): Promise<void> {
    const {args, flags} = await this.parse(Export)
    this.quiet = flags.quiet
    keepHeapLean()
    const config = await this.readConfig(args.config)
    await using backends = await this.waitFor(flags.wait, () => openBackends(config, ['access']))
    const {output} = flags
    if (output === undefined || output === '-') await this.write(backends.access, process.stdout, false)
    else await writePrivateFile(output, out => this.write(backends.access, out, output.endsWith('.gz')))
  }

  private async write(access: Access, out: Writable, compressed: boolean): Promise<void> {
    addAbortSignal(this.signal, out)
    const onNotice = (notice: string) => this.tell(notice)
    if (!compressed) return exportAccess(access, out, {indent: 2, onNotice})
    const gzip = createGzip()
    const dumped = exportAccess(access, gzip, {onNotice}).then(() => gzip.end())
    await Promise.all([dumped, pipeline(gzip, out)])
  }
}
