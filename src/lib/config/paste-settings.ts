/*
 * The keys of one section: interpolated, and what of [DEFAULT] they see.
 */
import {dirname} from 'node:path'
import {escapePercent, interpolate, InterpolationError, type IniFile} from './ini.js'
import type {Place} from './paste-files.js'
import type {ConfigProblem} from './problems.js'

/** Where a setting was found. */
export interface Setting {
  readonly key: string
  /** After interpolation. */
  readonly value: string
  /** Absolute path of the file, or the name of the environment variable. */
  readonly source: string
  /** 1-based; 0 for the environment. */
  readonly line: number
}

/** The interpolated values of any section, `[DEFAULT]` included, for what is not an app. */
export function plainSettings(
  file: IniFile,
  name: string,
  raw: ReadonlySet<string> = new Set(),
): Map<string, Setting> {
  const section = file.sections.get(name)
  const defaults = defaultsOf(file, new Map())
  const settings = new Map<string, Setting>()
  for (const {key, value, line} of section?.entries.values() ?? []) {
    let text = value
    try {
      if (!raw.has(key))
        text = interpolate(value, other => section?.entries.get(other)?.value ?? defaults.get(other))
    } catch (error) {
      if (!(error instanceof InterpolationError)) throw error
    }
    settings.set(key, {key, value: text, source: file.path, line})
  }
  return settings
}

/**
 * The keys of an app's section that are not also in `[DEFAULT]`, with `get x = y` resolved, and the globals after
 * `set x = y`.
 * @param inherited globals of the section that led here.
 */
export function localSettings(
  file: IniFile,
  name: string,
  inherited: ReadonlyMap<string, string>,
  found: {readonly problems: ConfigProblem[]; readonly warnings: ConfigProblem[]},
): {settings: Map<string, Setting>; globals: Map<string, string>} {
  const report = (error: unknown, place: Place) => {
    if (!(error instanceof InterpolationError)) throw error
    found.problems.push({...place, message: error.message})
  }
  const section = file.sections.get(name)
  const defaults = defaultsOf(file, inherited)
  const settings = new Map<string, Setting>()
  const globals = new Map(inherited)
  for (const [key, value] of defaults) {
    try {
      globals.set(
        key,
        interpolate(value, other => defaults.get(other)),
      )
    } catch (error) {
      report(error, {file: file.path, line: file.defaults.get(key)?.line ?? 0, key})
    }
  }
  const fromGlobals: Setting[] = []
  for (const {key, value, line} of section?.entries.values() ?? []) {
    let text: string
    try {
      text = interpolate(value, other => section?.entries.get(other)?.value ?? defaults.get(other))
    } catch (error) {
      report(error, {file: file.path, line, key})
      continue
    }
    const setting = {key, value: text, source: file.path, line}
    const directive = /^(get|set) (.*)$/.exec(key)
    const target = directive?.[2]?.trim() ?? ''
    if (directive?.[1] === 'set') globals.set(target, text)
    else if (directive?.[1] === 'get') fromGlobals.push({...setting, key: target})
    else if (!defaults.has(key)) settings.set(key, setting)
    else {
      const message = `not read, because [DEFAULT] has it too: write "get ${key} = ${key}"`
      found.warnings.push({file: file.path, line, key, message})
    }
  }
  for (const setting of fromGlobals) {
    const value = globals.get(setting.value)
    if (value === undefined) {
      const message = `found ${JSON.stringify(setting.value)}, which [DEFAULT] does not have`
      found.problems.push({file: file.path, line: setting.line, key: `get ${setting.key}`, message})
    } else settings.set(setting.key, {...setting, value})
  }
  return {settings, globals}
}

/** The values of `[DEFAULT]`, `here` and `__file__`, still to be interpolated. */
function defaultsOf(file: IniFile, inherited: ReadonlyMap<string, string>): Map<string, string> {
  const defaults = new Map([...file.defaults].map(([key, entry]) => [key, entry.value]))
  const seeded: [string, string][] = [
    ['here', escapePercent(dirname(file.path))],
    ['__file__', escapePercent(file.path)],
    ...[...inherited].map(([key, value]): [string, string] => [key, escapePercent(value)]),
  ]
  for (const [key, value] of seeded) if (!defaults.has(key)) defaults.set(key, value)
  return defaults
}
