/* What Python's logging.config.fileConfig would read. A server logs to one place here, at one level. */
import {resolve} from 'node:path'
import type {IniFile} from './ini.js'
import {plainSettings} from './paste-settings.js'
import {shown} from './problems.js'
import type {Findings, ServerSettings} from './server-settings.js'

const levels: Readonly<Record<string, ServerSettings['logLevel']>> = {
  NOTSET: 'debug',
  DEBUG: 'debug',
  INFO: 'info',
  WARN: 'warn',
  WARNING: 'warn',
  ERROR: 'error',
  CRITICAL: 'fatal',
  FATAL: 'fatal',
}

/** Loggers of libraries and parts that exist in the original only. pypicloud's templates write them. */
const foreignLoggers = new Set(['logger_pypicloud', 'logger_botocore', 'logger_boto', 'logger_boto3'])

export function readLogging(file: IniFile, found: Findings): Pick<ServerSettings, 'logLevel' | 'logFile'> {
  const root = plainSettings(file, 'logger_root')
  const level = root.get('level')
  const logLevel = level ? levels[level.value.trim().toUpperCase()] : 'info'
  if (level && !logLevel) {
    found.warnings.push({
      file: level.source,
      line: level.line,
      key: 'level',
      message: `found ${shown(level.value)}, expected one of ${Object.keys(levels).join(', ')}; taken as INFO`,
    })
  }
  const handlers = commaList(root.get('handlers')?.value)
  const files = handlers.map(name => ({name, path: handlerFile(file, name, found)}))
  const first = files.find(handler => handler.path !== undefined)
  for (const handler of files) {
    if (first && handler !== first)
      found.ignored.push(`[handler_${handler.name}] beside [handler_${first.name}]`)
  }
  const more = [...file.sections.keys()].filter(
    name => name.startsWith('logger_') && name !== 'logger_root' && !foreignLoggers.has(name),
  )
  found.ignored.push(...more.map(name => `[${name}]`))
  return {logLevel: logLevel ?? 'info', logFile: first?.path}
}

const commaList = (value: string | undefined): string[] =>
  (value ?? '')
    .split(',')
    .map(name => name.trim())
    .filter(Boolean)

/** The file of a handler, when it writes to one: `args = ('/var/log/pypicloud.log', 'a', 1000000, 5)`. */
function handlerFile(file: IniFile, name: string, found: Findings): string | undefined {
  const handler = plainSettings(file, `handler_${name}`)
  const kind = (handler.get('class')?.value ?? '').replace(/^.*\./, '')
  if (kind === 'StreamHandler' || kind === '') {
    if (/stdout/.test(handler.get('args')?.value ?? '')) found.ignored.push(`[handler_${name}] stdout`)
    return undefined
  }
  const args = handler.get('args')?.value ?? ''
  const path = /FileHandler$/.test(kind) ? pythonString(args) : undefined
  if (path === undefined) {
    found.ignored.push(`[handler_${name}]`)
    return undefined
  }
  if (kind !== 'FileHandler' && kind !== 'WatchedFileHandler')
    found.ignored.push(`[handler_${name}] rotation`)
  return resolve(path)
}

/** The first text of a Python tuple, `('…', …)`. */
function pythonString(tuple: string): string | undefined {
  const match = /^\(?\s*(r?)(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")/i.exec(tuple)
  const text = match?.[2] ?? match?.[3]
  if (text === undefined || text === '') return undefined
  return match?.[1] ? text : text.replace(/\\(.)/g, '$1')
}
