import {Args, Flags} from '@oclif/core'
import type {Access} from '../access/access.js'
import {openBackends} from '../backends.js'
import type {Config} from '../config/config.js'
import {UsageError} from '../errors.js'
import {randomPassword} from '../tasks/random-password.js'
import {PpcCommand} from './command.js'
import {askNewPassword, askYesNo, canPrompt, refuseToGuess} from './prompts.js'
import {readSecret, readSecretFile} from './secrets.js'

/** An argument that is no file, and never read from a pipe. */
export const nameArgument = (description: string) =>
  Args.string({required: true, ignoreStdin: true, description})

/** Of commands that delete. */
export const yesFlag = {
  yes: Flags.boolean({char: 'y', summary: 'Do it without asking.', default: false}),
}

/** Where a new password comes from; without any of them it is asked for. */
export const passwordFlags = {
  'password-stdin': Flags.boolean({
    summary: 'Read the password from the first line of stdin.',
    exclusive: ['password-file', 'generate'],
  }),
  'password-file': Flags.string({
    summary: 'Read the password from the first line of this file.',
    helpValue: 'FILE',
    exclusive: ['generate'],
  }),
  generate: Flags.boolean({summary: 'Make up a password and print it.'}),
}

/** Looks at users, groups and rights, or changes them. Opens nothing but the access backend of the config. */
export abstract class AccessCommand extends PpcCommand {
  static override enableJsonFlag = true

  protected async withAccess<T>(
    path: string,
    waitSeconds: number,
    work: (access: Access, config: Config) => Promise<T>,
  ): Promise<T> {
    const config = await this.readConfig(path)
    await using backends = await this.waitFor(waitSeconds, () => openBackends(config, ['access']))
    return await work(backends.access, config)
  }

  protected async getPassword(flags: {
    'password-stdin'?: boolean
    'password-file'?: string | undefined
    generate?: boolean
  }): Promise<string> {
    if (flags['password-stdin']) return readSecret(process.stdin)
    if (flags['password-file'] !== undefined) return readSecretFile(flags['password-file'])
    if (flags.generate) return randomPassword()
    if (!canPrompt()) refuseToGuess(['--password-stdin, --password-file or --generate'])
    return askNewPassword()
  }

  /** @throws {UsageError} when it is not confirmed */
  protected async confirm(question: string, yes: boolean): Promise<void> {
    if (yes) return
    if (!canPrompt()) refuseToGuess(['--yes'])
    if (!(await askYesNo(question, false))) throw new UsageError('nothing was changed')
  }

  /** Lines of columns on stdout. */
  protected logTable(rows: readonly (readonly string[])[]): void {
    if (this.jsonEnabled()) return
    const width = (column: number) => Math.max(...rows.map(row => Array.from(row[column] ?? '').length))
    for (const row of rows) {
      const cells = row.map((cell, column) => cell + ' '.repeat(width(column) - Array.from(cell).length))
      this.log(cells.join('  ').trimEnd())
    }
  }
}
