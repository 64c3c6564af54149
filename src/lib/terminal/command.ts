import {Command, Flags, type Interfaces} from '@oclif/core'
import {setTimeout as sleep} from 'node:timers/promises'
import {readConfig, type Config} from '../config/config.js'
import {formatProblem} from '../config/problems.js'
import {Unavailable, type PpcError} from '../errors.js'
import type {Progress} from './progress.js'
import {describeError, reportError} from './report-error.js'
import {auditShell} from './shell-audit.js'
import {oneLine} from './one-line.js'
import {interrupted} from './signals.js'

/** Of commands that open a database or a storage. @param more what else is waited for. */
export const waitFlagWith = (more = '') => ({
  wait: Flags.integer({
    summary: `Keep trying this long while a database or storage is not there yet${more}.`,
    helpValue: 'SECONDS',
    min: 0,
    default: 0,
  }),
})
export const waitFlag = waitFlagWith()
/** Of commands that tell on stderr what they do. */
export const quietFlag = {
  quiet: Flags.boolean({char: 'q', summary: 'Say nothing but errors: for cron.', default: false}),
}
/** The `CONFIG` that most commands take. oclif would otherwise read a missing argument from a pipe. */
export const configArgument = {
  required: true,
  ignoreStdin: true,
  description: 'config file; FILE#NAME takes [app:NAME] of it',
} as const

/** stdout is for the product (a dump, a config, --json), stderr for the story. */
export abstract class PpcCommand extends Command {
  static override baseFlags = {
    'no-color': Flags.boolean({summary: 'No colours; NO_COLOR does the same.', default: false}),
  }

  /** What the audit log calls it. Unset: it changes nothing. */
  static readonly audit: string | undefined = undefined

  /** Aborted by Ctrl-C and SIGTERM. */
  protected readonly signal: AbortSignal = interrupted
  /** Set by commands that know --quiet. */
  protected quiet = false
  /** The first that was read. */
  #config: Config | undefined
  #parsed: {readonly args: Record<string, unknown>; readonly flags: Record<string, unknown>} | undefined

  /** A line of the story. Nothing with --quiet or --json. */
  protected tell(message: string, progress?: Progress): void {
    if (!this.quiet) this.complain(message, progress)
  }

  /** A line about what went wrong, though the rest was done: also with --quiet, since it is what cron mails. Nothing with --json. */
  protected complain(message: string, progress?: Progress): void {
    if (this.jsonEnabled()) return
    const line = oneLine(message)
    if (progress) progress.note(line)
    else process.stderr.write(`${line}\n`)
  }

  /** Reads and checks a config; its warnings go to stderr, once a file and run. */
  protected async readConfig(path: string): Promise<Config> {
    const config = await readConfig(path)
    this.#config ??= config
    if (!this.quiet) {
      for (const warning of config.warnings)
        process.stderr.write(`${this.config.bin}: ${formatProblem(warning)}\n`)
    }
    return config
  }

  /** Tries again every second while `open` throws what `isTemporary`, for `seconds` at most. */
  protected async waitFor<T>(
    seconds: number,
    open: () => Promise<T>,
    isTemporary = (error: unknown): error is PpcError => error instanceof Unavailable,
  ): Promise<T> {
    const end = performance.now() + seconds * 1000
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await open()
      } catch (error) {
        if (!isTemporary(error) || performance.now() >= end) throw error
        if (attempt === 1) this.tell(`${error.message}; trying for ${seconds} s`)
        await sleep(Math.min(1000, Math.max(0, end - performance.now())), undefined, {signal: this.signal})
      }
    }
  }

  /** Undefined for a call that changes nothing. */
  protected auditAction(flags: Readonly<Record<string, unknown>>): string | undefined {
    return flags['dry-run'] === true ? undefined : (this.constructor as typeof PpcCommand).audit
  }

  /** What can't be written is told, and no reason to fail: the change has happened. */
  protected override async finally(error: Error | undefined): Promise<void> {
    if (this.#config && this.#parsed) {
      const {args, flags} = this.#parsed
      const action = this.auditAction(flags)
      const others = Object.fromEntries(Object.entries(args).filter(([name]) => name !== 'config'))
      const command = this.config.bin
      if (action !== undefined) {
        await auditShell(this.#config, {action, command, args: others, flags}, error).catch(
          (failure: unknown) => reportError(this.config.bin, failure),
        )
      }
    }
    await super.finally(error)
  }

  protected override async parse<
    F extends Interfaces.OutputFlags<Interfaces.FlagInput>,
    B extends Interfaces.OutputFlags<Interfaces.FlagInput>,
    A extends Interfaces.OutputArgs<Interfaces.ArgInput>,
  >(options?: Interfaces.Input<F, B, A>, argv?: string[]): Promise<Interfaces.ParserOutput<F, B, A>> {
    const parsed = await super.parse(options, argv)
    this.#parsed = parsed
    return parsed
  }

  /** One line, so that cron jobs and pipes can append it to a file. */
  protected override logJson(json: unknown): void {
    process.stdout.write(`${JSON.stringify(json)}\n`)
  }

  protected override catch(error: Interfaces.CommandError): Promise<void> {
    if (this.jsonEnabled()) {
      const report = describeError(this.config.bin, error)
      this.logJson({error: report})
      process.exitCode = report.exitCode
    } else process.exitCode = reportError(this.config.bin, error)
    return Promise.resolve()
  }
}
