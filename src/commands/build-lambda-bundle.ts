import {Args, Flags} from '@oclif/core'
import {buildBundle, type BundleManifest} from '../lib/tasks/lambda-bundle/bundle.js'
import {PpcCommand, configArgument, quietFlag} from '../lib/terminal/command.js'
import {checkOutputFile, writePrivateFile} from '../lib/terminal/output-file.js'
import {size} from '../lib/terminal/progress.js'

export default class BuildLambdaBundle extends PpcCommand {
  static override summary = 'Build the AWS Lambda that feeds the cache from the events of the bucket.'
  static override description =
    'Writes a zip with one module for the Node runtimes of AWS Lambda and a manifest. It has what the cache of the config ' +
    'needs and nothing of the config itself: settings come by the variable PYPICLOUD_SETTINGS of the function. The same ' +
    'version gives the same bytes everywhere.'
  static override examples = ['<%= config.bin %> server.ini', '<%= config.bin %> server.ini -o bundle.zip']
  static override enableJsonFlag = true
  static override args = {config: Args.string(configArgument)}
  static override flags = {
    output: Flags.string({
      char: 'o',
      helpValue: 'FILE',
      summary: 'Where to write the bundle.',
      default: 'output.zip',
    }),
    ...quietFlag,
  }

  async run(): Promise<BundleManifest & {readonly file: string; readonly size: number}> {
    const {args, flags} = await this.parse(BuildLambdaBundle)
    this.quiet = flags.quiet
    const {zip, manifest} = await buildBundle(await this.readConfig(args.config))
    await checkOutputFile(flags.output)
    await writePrivateFile(flags.output, out => {
      out.end(zip)
      return Promise.resolve()
    })
    const runtimes = manifest.runtimes.join(', ')
    this.tell(`Wrote bundle file ${flags.output}: ${size(zip.length)}, ${manifest.cache}.`)
    this.tell(`Handler ${manifest.handler}, runtimes ${runtimes}.`)
    return {file: flags.output, size: zip.length, ...manifest}
  }
}
