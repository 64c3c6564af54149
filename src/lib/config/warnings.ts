import {variableOf, type Environment} from './environment.js'
import type {Setting} from './paste-settings.js'
import type {ConfigProblem} from './problems.js'
import {knownKeys, type Part} from './schema/index.js'
import {retiredKeys} from './schema/retired.js'
import {suggest} from './suggest.js'

/** A part of the config, and the short name of its backend; undefined for a module of the operator's own. */
export interface Chosen {
  readonly part: Part
  readonly name: string | undefined
}

/** Families of keys, whose ends are names that the operator gave. */
const families = ['user.', 'group.', 'package.', 'token.']

/** What Python libraries around pypicloud read from the same section, without effect here. */
const foreign = /^(?:pyramid|pyramid_\w+|debugtoolbar|session|beaker|jinja2|mako|retry|tm|exclog)\./

/** What deserves a look in the keys as such: unknown, retired or misplaced ones. No message shows a value. */
export function keyWarnings(
  settings: ReadonlyMap<string, Setting>,
  chosen: readonly Chosen[],
  environment: Environment,
): ConfigProblem[] {
  const own = chosen.flatMap(({part, name}) => (name === undefined ? part.prefixes : []))
  const candidates = candidateKeys(chosen)
  const warnings: ConfigProblem[] = []
  for (const {key, source, line} of settings.values()) {
    if (knownKeys.has(key) || [...own, ...families].some(prefix => key.startsWith(prefix))) continue
    const message = unknownKey(key, candidates)
    if (message !== undefined) warnings.push({file: source, line, key, message})
  }
  const access = chosen.find(({part}) => part.selector === 'auth')?.name
  const fallback = access === 'ldap' && settings.get('auth.ldap.fallback')?.value === 'config'
  if (access === 'config') warnings.push(...unusableHashes(settings))
  if (access === 'config' || fallback) warnings.push(...misplacedRights(settings))
  warnings.push(...unknownVariables(settings, own, environment))
  return warnings
}

/** Keys of the chosen backends come first: of two that are equally near, they are meant. */
function candidateKeys(chosen: readonly Chosen[]): string[] {
  const near = chosen.flatMap(({part, name}) =>
    Object.values(part.schemas[name ?? '']?.fields ?? {}).map(field => field.key),
  )
  return [...new Set([...near, ...knownKeys])]
}

function unknownKey(key: string, candidates: readonly string[]): string | undefined {
  const retired = retiredKeys.get(key)
  if (retired !== undefined) return `not read by any pypicloud since 1.0: write ${retired}`
  const dot = key.indexOf('.') + 1
  const family = suggest(key.slice(0, dot), families)
  if (dot > 1 && family !== undefined) return `unknown key; did you mean ${family}${key.slice(dot)}?`
  const near = suggest(key, candidates)
  if (foreign.test(key) && (near === undefined || !near.startsWith(key.slice(0, dot)))) return undefined
  return near === undefined ? 'unknown key' : `unknown key; did you mean ${near}?`
}

const hashStart = /^\$(?:2[abxy]?|5|6|argon2(?:id|i|d)|pbkdf2-sha(?:256|512))\$./

function* unusableHashes(settings: ReadonlyMap<string, Setting>): Iterable<ConfigProblem> {
  const message = 'not a password hash, so nobody can log in with it: make one with ppc-gen-password'
  for (const {key, value, source, line} of settings.values()) {
    if (key.startsWith('user.') && !hashStart.test(value)) yield {file: source, line, key, message}
  }
}

/** Names with dots cut a key into more parts than the original reads. */
function* misplacedRights(settings: ReadonlyMap<string, Setting>): Iterable<ConfigProblem> {
  const message =
    'not read: expected package.PROJECT.user.NAME or package.PROJECT.group.NAME, without further dots'
  for (const {key, source, line} of settings.values()) {
    if (key.startsWith('package.') && !/^package\.[^.]+\.(?:user|group)\.[^.]+$/.test(key)) {
      yield {file: source, line, key, message}
    }
  }
}

function* unknownVariables(
  settings: ReadonlyMap<string, Setting>,
  own: readonly string[],
  environment: Environment,
): Iterable<ConfigProblem> {
  const known = new Set([...knownKeys].map(variableOf))
  const used = new Set([...settings.values()].map(({source}) => source))
  for (const variable of Object.keys(environment)) {
    if (
      known.has(variable) ||
      used.has(variable) ||
      own.some(prefix => variable.startsWith(variableOf(prefix)))
    ) {
      continue
    }
    const place = {file: variable, line: 0, key: undefined}
    if (families.some(prefix => variable.startsWith(variableOf(prefix)))) {
      yield {...place, message: 'not read: users, groups and rights come from the file only'}
    } else if (/^PPC_(?:PYPI|STORAGE|DB|AUTH|SESSION)_/.test(variable)) {
      const near = suggest(variable, known)
      yield {...place, message: `belongs to no key${near === undefined ? '' : `; did you mean ${near}?`}`}
    }
  }
}
