import {Errors} from '@oclif/core'
import {getSystemErrorMap} from 'node:util'
import {ExitCode, PpcError, isSystemError, rootFailure} from '../errors.js'
import {oneLine} from './one-line.js'
import {endedBySignal} from './signals.js'

/** What a user, or a script by --json, is told of a failure. */
export interface FailureReport {
  readonly exitCode: number
  /** Stable: `PPC_…`. */
  readonly code: string
  readonly message: string
  readonly hint: string | undefined
}

/** Says on stderr what went wrong. @returns the exit code. */
export function reportError(program: string, thrown: unknown): number {
  const error = rootFailure(thrown)
  if (error instanceof Errors.ExitError) return error.oclif.exit ?? ExitCode.failed
  if (isBrokenPipe(error)) return 141 // what a shell reports of a program that SIGPIPE ended
  const report = describeError(program, error)
  for (const line of report.message.split('\n')) process.stderr.write(`${program}: ${oneLine(line)}\n`)
  if (report.hint) process.stderr.write(`${report.hint}\n`)
  if (process.env['PPC_DEBUG'] && thrown instanceof Error) console.error(thrown)
  return report.exitCode
}

export function describeError(program: string, thrown: unknown): FailureReport {
  const error = rootFailure(thrown)
  if (isInterruption(error) || (endedBySignal() !== undefined && !(error instanceof PpcError))) {
    const exitCode = endedBySignal() ?? ExitCode.interrupted
    return {exitCode, code: 'PPC_INTERRUPTED', message: 'interrupted', hint: undefined}
  }
  if (error instanceof PpcError) {
    return {exitCode: error.exitCode, code: error.code, message: error.message, hint: error.hint}
  }
  if (error instanceof Errors.CLIError) {
    const message = usageSentence(error)
    const hint = `"${program} --help" shows how it is used.`
    return {exitCode: error.oclif.exit ?? ExitCode.usage, code: 'PPC_USAGE', message, hint}
  }
  const sentence = systemSentence(error)
  if (sentence) return {exitCode: ExitCode.failed, code: 'PPC_SYSTEM', message: sentence, hint: undefined}
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
  return {
    exitCode: ExitCode.failed,
    code: 'PPC_BUG',
    message: `unexpected: ${text.replaceAll(/\s*\n\s*/g, ' ')}`,
    hint: 'This is a fault of the program: set PPC_DEBUG=1 for the stack.',
  }
}

/** oclif's message is a list over several lines; ours is a sentence. */
function usageSentence(error: Errors.CLIError): string {
  if ('args' in error && Array.isArray(error.args)) {
    const args = error.args as (string | {name: string})[]
    const names = args.map(arg => (typeof arg === 'string' ? `"${arg}"` : arg.name.toUpperCase()))
    if (error.message.startsWith('Missing')) return `missing ${names.join(' and ')}`
    if (error.message.startsWith('Unexpected')) return `one argument too many: ${names.join(', ')}`
  }
  if ('flags' in error && Array.isArray(error.flags)) return `there is no option ${error.flags.join(', ')}`
  const [message = ''] = error.message.split(/\n+See more help/)
  const sentence = message
    .replace('The following error occurred:', '')
    .replaceAll(/\s*\n\s*/g, ' ')
    .trim()
  const [, option, rest = sentence] = /^Parsing (--\S+) (.*)$/s.exec(sentence) ?? []
  const text = rest.charAt(0).toLowerCase() + rest.slice(1)
  return option === undefined ? text : `${option}: ${text}`
}

/** `open "server.ini": no such file or directory` of what Node throws for a file or socket. */
function systemSentence(error: unknown): string | undefined {
  if (!isSystemError(error)) return undefined
  const [, meaning] = getSystemErrorMap().get(error.errno ?? 0) ?? []
  return `can't ${error.syscall ?? 'use'} ${error.path ? `"${error.path}"` : 'a file'}: ${meaning ?? error.message}`
}

const isBrokenPipe = (error: unknown) => isSystemError(error) && error.code === 'EPIPE'

/** Ctrl-C at a prompt, or an abort by a signal. */
const isInterruption = (error: unknown) =>
  error instanceof Error && (error.name === 'ExitPromptError' || error.name === 'AbortError')
