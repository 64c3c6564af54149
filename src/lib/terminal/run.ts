import {readFileSync} from 'node:fs'
import {setImmediate} from 'node:timers/promises'
import {fileURLToPath} from 'node:url'
import {Config, settings} from '@oclif/core'
import {UsageError} from '../errors.js'
import {reportError} from './report-error.js'
import {leave, watchSignals} from './signals.js'

/** The package's folder, four levels above the compiled file. */
const root = fileURLToPath(new URL('../../../../', import.meta.url))

/** Commands to which SIGHUP says that the config is to be read again. */
const reloading = new Set(['serve', 'quickstart'])

export interface Call {
  /** As typed: `ppc-migrate`, `ppc user create`. It begins every message. */
  readonly program: string
  /** oclif's id: `user:create`. */
  readonly command: string
  readonly args: readonly string[]
}

/** Runs one command and sets the exit code. Never throws. */
export async function runCommand({program, command, args}: Call): Promise<void> {
  // A reader that went away (`ppc-export … | head`) is no failure to talk about, a full disk is one.
  process.stdout.removeAllListeners('error') // oclif's throws
  process.stdout.on('error', error => {
    process.exit(reportError(program, Object.assign(error, {path: '/dev/stdout'})))
  })
  process.stderr.on('error', () => undefined) // the story can be lost, the work goes on
  if (process.env['PPC_DEBUG']) process.setSourceMapsEnabled(true)
  if (args.includes('--no-color')) process.env['NO_COLOR'] = '1'
  settings.enableAutoTranspile = false // else oclif looks for our sources and a compiler
  watchSignals(['SIGINT', 'SIGTERM', ...(reloading.has(command) ? [] : ['SIGHUP' as const])])
  try {
    const config = await loadConfig(program)
    const found = config.findCommand(command)
    if (!found) throw unknownCommand(program, args, config.commandIDs)
    await config.runCommand(command, [...args], found)
  } catch (error) {
    process.exitCode = reportError(program, error)
  }
  await setImmediate() // a write that failed is told in the next turn: until then a full disk looks like success
  // An open stdin or an idle thread must not keep a finished command. Writes to files, pipes and terminals are done.
  leave()
}

async function loadConfig(program: string): Promise<Config> {
  const pjson = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as Config['pjson']
  return Config.load({root, pjson: {...pjson, oclif: {...pjson.oclif, bin: program}}})
}

function unknownCommand(program: string, args: readonly string[], ids: readonly string[]): UsageError {
  const [, ...group] = program.split(' ')
  const prefix = group.map(word => `${word}:`).join('')
  const choices = ids.filter(id => id.startsWith(prefix)).map(id => id.replaceAll(':', ' '))
  return new UsageError(`there is no command "${[...group, args[0]].join(' ')}"`, {
    hint: `There are: ${choices.sort().join(', ')}.`,
  })
}
