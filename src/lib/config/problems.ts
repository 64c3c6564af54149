import {relative} from 'node:path'
import {ExitCode, PpcError} from '../errors.js'

/** One problem: `server.ini:14: storage.expire_after: found "1d", expected whole seconds`. */
export interface ConfigProblem {
  /** Absolute path, or the name of an environment variable. */
  readonly file: string
  /** 1-based; 0 where there is none. */
  readonly line: number
  readonly key: string | undefined
  readonly message: string
}

/** All that is wrong with a config file, one problem a line. */
export class ConfigError extends PpcError {
  readonly code = 'PPC_CONFIG'
  override readonly exitCode = ExitCode.usage
  readonly problems: readonly ConfigProblem[]

  constructor(problems: readonly ConfigProblem[], cause?: unknown) {
    super(problems.map(formatProblem).join('\n'), {cause})
    this.problems = problems
  }
}

/** `server.ini:14: key: message`; paths below the working directory are shown from there. */
export function formatProblem({file, line, key, message}: ConfigProblem): string {
  const near = relative(process.cwd(), file)
  const path = file.startsWith('/') && near !== '' && !near.startsWith('..') ? near : file
  return [line > 0 ? `${path}:${line}` : path, key, message].filter(part => part !== undefined).join(': ')
}

/** A value as messages show it: on one line, and not endless. */
export function shown(value: string): string {
  return JSON.stringify(value.length > 60 ? `${value.slice(0, 59)}…` : value)
}
