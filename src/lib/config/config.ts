import {existsSync} from 'node:fs'
import {dirname, resolve} from 'node:path'
import {fromEnvironment, importPrefixes, type Environment} from './environment.js'
import type {Fields, Values} from './fields.js'
import {PasteFiles} from './paste-files.js'
import type {Setting} from './paste-settings.js'
import {isPypicloud, PasteResolver, type PasteSection} from './paste.js'
import {ConfigError, shown, type ConfigProblem} from './problems.js'
import {readFields, type Lookup} from './read-fields.js'
import {coreFields} from './schema/core.js'
import {commonTables, knownKeys, parts, shortName} from './schema/index.js'
import type {BackendSchema} from './schema/schema.js'
import {
  defaultServerSettings,
  readServerSettings,
  type Findings,
  type ServerSettings,
} from './server-settings.js'
import {keyWarnings} from './warnings.js'

export {ConfigError, formatProblem, type ConfigProblem} from './problems.js'
export type {Setting} from './paste-settings.js'
export type {PrefixFilter, ServerSettings} from './server-settings.js'

/** A config file that was read and checked: every key of the backends that it names is valid. */
export interface Config {
  /** Absolute. */
  readonly file: string
  readonly directory: string
  /** App settings as text, the environment's overrides applied; families (`user.*`) by `family()`. */
  readonly settings: ReadonlyMap<string, Setting>
  readonly core: Values<typeof coreFields>
  readonly server: ServerSettings
  /** Misspelt, unknown and deprecated keys; what is not honoured. */
  readonly warnings: readonly ConfigProblem[]
  /** Typed values of a table of fields. @throws {ConfigError} with all problems, if the table was not yet checked. */
  read<F extends Fields>(fields: F): Values<F>
  /** All settings whose key begins with `prefix`, e.g. `user.`, in file order. */
  family(prefix: string): Setting[]
}

export interface ReadOptions {
  /** Where `PPC_…` variables are; `process.env` by default. */
  readonly environment?: Environment
}

/**
 * Reads and checks a config file. `path` may choose a section: `server.ini#name` is `[app:name]`.
 * @throws {ConfigError} with every problem of the file, of the environment, and of the backends that it names.
 */
export async function readConfig(
  path: string,
  {environment = process.env}: ReadOptions = {},
): Promise<Config> {
  const {file, section} = splitTarget(path)
  const problems: ConfigProblem[] = []
  const warnings: ConfigProblem[] = []
  const files = new PasteFiles(problems, warnings)
  const ini = await files.read(file)
  const paste = new PasteResolver(files)
  const app = ini && (await paste.app(ini, section))
  if (!ini || !app) throw new ConfigError(inFileOrder(problems))
  checkLoader(app, problems, warnings)
  const found: Findings = {problems, warnings, ignored: []}
  const server = await readServerSettings(paste, ini, section, app, found)
  if (found.ignored.length > 0) {
    const message = `for the server, not honoured: ${found.ignored.join(', ')}`
    warnings.push({file, line: 0, key: undefined, message})
  }

  return checked({file, server, settings: app.settings, problems, warnings}, environment)
}

/**
 * Checks settings that are in no file, as `readConfig` does. Paths in them count from the working directory.
 * @param source stands in messages where the name of the file would.
 * @throws {ConfigError}
 */
export function configOf(
  source: string,
  values: Readonly<Record<string, string>>,
  {environment = process.env}: ReadOptions = {},
): Config {
  const settings = new Map(
    Object.entries(values).map(([key, value]) => [key, {key, value, source, line: 0}] as const),
  )
  const found = {file: source, server: defaultServerSettings, settings, problems: [], warnings: []}
  return {...checked(found, environment), directory: process.cwd()}
}

interface Found {
  readonly file: string
  readonly server: ServerSettings
  readonly settings: ReadonlyMap<string, Setting>
  readonly problems: ConfigProblem[]
  readonly warnings: ConfigProblem[]
}

/** Applies the environment's overrides and checks every key of the backends that are named. */
function checked({file, server, settings: own, problems, warnings}: Found, environment: Environment): Config {
  const settings = new Map(own)
  const override = (found: Iterable<Setting | undefined>) => {
    for (const setting of found) if (setting) settings.set(setting.key, setting)
  }
  override([...knownKeys].map(key => fromEnvironment(environment, key)))
  const lookup: Lookup = field =>
    settings.get(field.key) ??
    fromEnvironment(environment, field.key) ??
    standIn(environment, field.environment, field.key)

  const core = readFields(coreFields, lookup, file).values
  const chosen = parts.map(part => ({part, name: shortName(part, core[part.selector])}))
  const isSql = (selector: string) =>
    chosen.some(({part, name}) => part.selector === selector && name === 'sql')
  override(
    importPrefixes(environment, [
      'session.',
      ...(isSql('db') ? ['db.'] : []),
      ...(isSql('auth') ? ['auth.db.'] : []),
    ]).filter(({key}) => !settings.has(key) || !knownKeys.has(key)),
  )

  const tables = new Map<Fields, Values<Fields>>()
  const schemas: BackendSchema[] = [
    ...commonTables.map(table => table.schema),
    ...chosen.flatMap(({part, name}) => (name === undefined ? [] : (part.schemas[name] ?? []))),
  ]
  for (const schema of schemas) {
    const table = readFields(schema.fields, lookup, file)
    problems.push(...table.problems)
    warnings.push(...table.warnings)
    tables.set(schema.fields, table.values)
    if (table.problems.length > 0) continue
    for (const {key, message} of schema.check(table.values)) {
      const setting = settings.get(key)
      problems.push({file: setting?.source ?? file, line: setting?.line ?? 0, key, message})
    }
  }
  if (problems.length > 0) throw new ConfigError(inFileOrder(problems))
  warnings.push(...keyWarnings(settings, chosen, environment))

  return {
    file,
    directory: dirname(file),
    settings,
    core,
    server,
    warnings: inFileOrder(warnings),
    read<F extends Fields>(fields: F): Values<F> {
      let values = tables.get(fields) as Values<F> | undefined // set below and above with the values of these fields
      if (!values) {
        const table = readFields(fields, lookup, file)
        if (table.problems.length > 0) throw new ConfigError(table.problems)
        values = table.values
        tables.set(fields, values)
      }
      return values
    },
    family: prefix => [...settings.values()].filter(({key}) => key.startsWith(prefix)),
  }
}

/** `server.ini#name` → the file and the section's name, unless a file has that very name. */
function splitTarget(path: string): {file: string; section: string | undefined} {
  const hash = path.lastIndexOf('#')
  if (hash < 0 || existsSync(path)) return {file: resolve(path), section: undefined}
  return {file: resolve(path.slice(0, hash)), section: path.slice(hash + 1) || undefined}
}

function checkLoader(
  {loader, file, line}: PasteSection,
  problems: ConfigProblem[],
  warnings: ConfigProblem[],
) {
  if (!loader) {
    const message = 'missing: pypicloud itself would not start without "use = egg:pypicloud"'
    warnings.push({file, line, key: 'use', message})
  } else if (!isPypicloud(loader.value)) {
    const message = `found ${shown(loader.value)}, expected egg:pypicloud`
    problems.push({file: loader.source, line: loader.line, key: loader.key, message})
  }
}

/** Of variables like AZURE_STORAGE_KEY that count when nothing else says anything. */
function standIn(environment: Environment, variable: string | undefined, key: string): Setting | undefined {
  const value = variable === undefined ? undefined : environment[variable]
  return value === undefined || variable === undefined ? undefined : {key, value, source: variable, line: 0}
}

/** Each once, in the order in which the reader meets them; what has no line comes last. */
function inFileOrder(problems: readonly ConfigProblem[]): ConfigProblem[] {
  const once = new Map(problems.map(problem => [JSON.stringify(problem), problem])).values()
  const place = ({line}: ConfigProblem) => line || Number.MAX_SAFE_INTEGER
  return [...once].sort((a, b) => (a.file === b.file ? place(a) - place(b) : a.file < b.file ? -1 : 1))
}
