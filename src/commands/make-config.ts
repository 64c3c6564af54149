import {Args, Flags} from '@oclif/core'
import {existsSync} from 'node:fs'
import {pipeline} from 'node:stream/promises'
import {hashPassword} from '../lib/access/passwords/index.js'
import {renderConfig} from '../lib/config/template.js'
import {UsageError} from '../lib/errors.js'
import {storages} from '../lib/storage/registry.js'
import {PpcCommand} from '../lib/terminal/command.js'
import {askForConfig, storageKinds} from '../lib/terminal/config-questions.js'
import {writePrivateFile} from '../lib/terminal/output-file.js'
import {askYesNo, canPrompt} from '../lib/terminal/prompts.js'

const kindFlag = (char: 'd' | 't' | 'p' | 'r', summary: string, ...others: string[]) =>
  Flags.boolean({char, summary, exclusive: others})

export default class MakeConfig extends PpcCommand {
  static override summary = 'Write a config file for a new index.'
  static override description =
    'Asks what it needs to know; every question is also an option, so that it runs without a terminal. The config goes ' +
    'to FILE, readable by its owner only, or to stdout. The server starts with it as it is.'
  static override examples = [
    '<%= config.bin %> server.ini',
    'printf %s "$PASSWORD" | <%= config.bin %> --prod --storage filesystem --admin ada --password-stdin server.ini',
  ]
  static override args = {
    file: Args.string({ignoreStdin: true, description: 'where to write the config; stdout without it'}),
  }
  static override flags = {
    dev: kindFlag('d', 'For development.', 'test', 'prod', 'docker'),
    test: kindFlag('t', 'For testing.', 'prod', 'docker'),
    prod: kindFlag('p', 'For production.', 'docker'),
    docker: kindFlag('r', 'For a container that keeps its data in /var/lib/pypicloud.'),
    force: Flags.boolean({char: 'f', summary: 'Overwrite FILE without asking.'}),
    storage: Flags.option({
      options: [...storageKinds, 'file'] as const,
      summary: 'Where packages are stored.',
    })(),
    'aws-access-key-id': Flags.string({summary: 'Of s3, else AWS_ACCESS_KEY_ID.', helpValue: 'ID'}),
    'aws-secret-access-key-file': Flags.string({
      summary: 'File that holds it, else AWS_SECRET_ACCESS_KEY.',
      helpValue: 'FILE',
    }),
    bucket: Flags.string({summary: 'Of s3 and gcs.', helpValue: 'NAME'}),
    region: Flags.string({summary: 'Of an s3 bucket.', helpValue: 'REGION'}),
    'account-name': Flags.string({summary: 'Storage account of azure-blob.', helpValue: 'NAME'}),
    'account-key-file': Flags.string({
      summary: 'File that holds its key, else AZURE_STORAGE_KEY.',
      helpValue: 'FILE',
    }),
    container: Flags.string({summary: 'Of azure-blob.', helpValue: 'NAME'}),
    admin: Flags.string({summary: 'User name of the administrator.', helpValue: 'NAME'}),
    'password-stdin': Flags.boolean({
      summary: 'Read its password from the first line of stdin.',
      exclusive: ['password-file'],
    }),
    'password-file': Flags.string({
      summary: 'Read its password from the first line of a file.',
      helpValue: 'FILE',
    }),
  }

  async run(): Promise<void> {
    const {args, flags} = await this.parse(MakeConfig)
    const {file} = args
    if (file !== undefined && !flags.force && existsSync(file) && !(await this.mayOverwrite(file))) return
    const kind = (['dev', 'test', 'prod', 'docker'] as const).find(name => flags[name])
    const {password, ...answers} = await askForConfig({
      kind,
      storage: flags.storage,
      accessKeyId: flags['aws-access-key-id'],
      secretAccessKeyFile: flags['aws-secret-access-key-file'],
      bucket: flags.bucket,
      region: flags.region,
      accountName: flags['account-name'],
      accountKeyFile: flags['account-key-file'],
      container: flags.container,
      admin: flags.admin,
      passwordFile: flags['password-file'],
      passwordStdin: flags['password-stdin'],
    })
    const text = renderConfig({...answers, passwordHash: await hashPassword(password)})
    if (file === undefined) process.stdout.write(text)
    else {
      await writePrivateFile(file, out => pipeline([text], out))
      this.tell(`Config file written to '${file}'`)
    }
    const {storage} = answers.storage
    if (!storages.find(({name}) => name === storage)?.load) {
      this.tell(`This version can't open pypi.storage = ${storage} yet; pypicloud can.`)
    }
  }

  private mayOverwrite(file: string): Promise<boolean> {
    if (!canPrompt()) {
      throw new UsageError(`"${file}" exists already`, {hint: 'Give --force to overwrite it.'})
    }
    return askYesNo(`'${file}' already exists. Overwrite?`, false)
  }
}
