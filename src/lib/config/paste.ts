/*
 * What PasteDeploy makes of an INI file: which section is the application, what it inherits, what wraps it.
 *
 *   server.ini ──▶ [app:main] ──use = base────────────▶ [app:base] of the same file
 *                      │      ──use = config:o.ini#x──▶ [app:x] of another file
 *                      │      ──use = egg:pypicloud───▶ the end
 *                      └─filter-with = proxy──▶ [filter:proxy]
 *   [pipeline:main] pipeline = proxy app      the same wrapping, written as a list
 *   [composite:main] /pypi = app              the application below a path
 */
import {readFile} from 'node:fs/promises'
import {isUtf8} from 'node:buffer'
import {dirname, isAbsolute, join, resolve} from 'node:path'
import {escapePercent, interpolate, InterpolationError, parseIni, type IniFile} from './ini.js'
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

/** A section with all that it inherits. */
export interface PasteSection {
  /** As written: `app:main`. */
  readonly name: string
  readonly file: string
  readonly line: number
  /** What `use = ` or `paste.…_factory = ` lead to in the end: `egg:pypicloud`. */
  readonly loader: Setting | undefined
  readonly settings: Map<string, Setting>
  /** What wraps it, outermost first. */
  readonly filters: readonly PasteSection[]
  /** Below which path of a composite section it is mounted: `/pypi`, or empty. */
  readonly mountPath: string
}

type Kind = 'app' | 'filter' | 'server'
const prefixes: Readonly<Record<Kind, readonly string[]>> = {
  app: ['app', 'application', 'composite', 'composit', 'pipeline', 'filter-app'],
  filter: ['filter'],
  server: ['server'],
}

/** Reads files once, and adds what is wrong with them to `problems`, what is odd to `warnings`. */
export class PasteFiles {
  readonly #files = new Map<string, Promise<IniFile | undefined>>()
  constructor(
    readonly problems: ConfigProblem[],
    readonly warnings: ConfigProblem[],
  ) {}

  /** Undefined when it can't be read, which is a problem then. */
  read(path: string, asked: Place = {file: path, line: 0, key: undefined}): Promise<IniFile | undefined> {
    let file = this.#files.get(path)
    if (!file) {
      file = this.#read(path, asked)
      this.#files.set(path, file)
    }
    return file
  }

  async #read(path: string, asked: Place): Promise<IniFile | undefined> {
    let bytes: Buffer
    try {
      bytes = await readFile(path)
    } catch (error) {
      this.problems.push({...asked, message: cannotRead(path, asked, error)})
      return undefined
    }
    if (!isUtf8(bytes)) {
      this.problems.push({
        file: path,
        line: firstLineThatIsNotUtf8(bytes),
        key: undefined,
        message: 'is not UTF-8: save the file in that encoding',
      })
      return undefined
    }
    return parseIni(new TextDecoder().decode(bytes), path, this.problems)
  }
}

interface Place {
  readonly file: string
  readonly line: number
  readonly key: string | undefined
}

function cannotRead(path: string, asked: Place, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
  const reasons: Readonly<Record<string, string>> = {
    ENOENT: 'there is no such file',
    ENOTDIR: 'there is no such file',
    EACCES: 'may not be read by this user',
    EISDIR: 'is a directory, expected a config file',
  }
  const reason = reasons[code] ?? `can't be read (${code})`
  return asked.file === path ? reason : `${path}: ${reason}`
}

function firstLineThatIsNotUtf8(bytes: Buffer): number {
  let line = 1
  for (let start = 0; ; line += 1) {
    const end = bytes.indexOf(0x0a, start)
    if (end < 0 || !isUtf8(bytes.subarray(start, end))) return line
    start = end + 1
  }
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

/** Where a search stands: the trail finds circles. */
interface Search {
  readonly file: IniFile
  readonly kind: Kind
  readonly globals: ReadonlyMap<string, string>
  readonly trail: readonly string[]
}

/** Follows sections from one file into others. */
export class PasteResolver {
  readonly #files: PasteFiles
  constructor(files: PasteFiles) {
    this.#files = files
  }

  get #problems(): ConfigProblem[] {
    return this.#files.problems
  }

  /** `[app:main]` and its like, or `[app:NAME]`. Undefined, with a problem, when there is none. */
  app(file: IniFile, name: string | undefined): Promise<PasteSection | undefined> {
    return this.#resolve({file, kind: 'app', globals: new Map(), trail: []}, name, {
      file: file.path,
      line: 0,
      key: undefined,
    })
  }

  /**
   * `[server:NAME]`, otherwise `[server:main]`; undefined where there is none. What is wrong in it is only a warning,
   * for most tools don't need it: `port = %(http_port)s` waits for an argument of pserve.
   */
  async server(file: IniFile, name: string | undefined): Promise<PasteSection | undefined> {
    const here = {file: file.path, line: 0, key: undefined}
    const found = [name, undefined].filter(candidate => findSections(file, 'server', candidate).length > 0)
    if (found.length === 0) return undefined
    const before = this.#problems.length
    const server = await this.#resolve({file, kind: 'server', globals: new Map(), trail: []}, found[0], here)
    for (const problem of this.#problems.splice(before)) {
      this.#files.warnings.push({...problem, message: `${problem.message}; ignored`})
    }
    return server
  }

  /** The interpolated values of any section, `[DEFAULT]` included, for what is not an app. */
  plain(file: IniFile, name: string, raw: ReadonlySet<string> = new Set()): Map<string, Setting> {
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

  async #resolve(search: Search, name: string | undefined, asked: Place): Promise<PasteSection | undefined> {
    const {file, kind} = search
    const found = findSections(file, kind, name)
    const [section, second] = found
    if (!section) {
      this.#problems.push({...asked, message: missingSection(file, kind, name)})
      return undefined
    }
    if (second) {
      this.#problems.push({
        file: file.path,
        line: second.line,
        key: undefined,
        message: `[${second.name}] and [${section.name}] compete: keep one`,
      })
    }
    const id = `${file.path}\n${section.name}`
    if (search.trail.includes(id)) {
      this.#problems.push({...asked, message: `leads back to [${section.name}] in a circle`})
      return undefined
    }
    const trail = [...search.trail, id]
    const local = this.#localSettings(search, section.name)
    const {globals} = local
    const {settings} = local
    const take = (key: string) => {
      const setting = settings.get(key)
      settings.delete(key)
      return setting
    }
    const filterWith = take('filter-with')
    take('require') // Python packages
    const inner = {...search, globals, trail}
    const own = {name: section.name, file: file.path, line: section.line, settings, mountPath: ''}

    let result: PasteSection | undefined
    const pipeline = section.name.startsWith('pipeline:') ? take('pipeline') : undefined
    if (section.name.startsWith('pipeline:')) {
      result = await this.#pipeline(inner, pipeline, {file: file.path, line: section.line, key: 'pipeline'})
    } else if (section.name.startsWith('filter-app:')) {
      result = await this.#filterApp(inner, own, take)
    } else {
      const use = take('use')
      const factory = take(`paste.${kind}_factory`)
      if (use && !isLoader(use.value)) {
        const base = await this.#use(inner, use)
        result = base && {...base, settings: new Map([...base.settings, ...settings])}
      } else {
        result = {...own, loader: use ?? factory, filters: []}
        if (/^egg:Paste(?:#|$)/i.test(use?.value ?? '') && /^composite?/.test(section.name)) {
          result = await this.#composite(inner, settings, asked)
        }
      }
    }
    if (result && filterWith) {
      const filter = await this.#use({...inner, kind: 'filter'}, filterWith)
      if (filter) result = {...result, filters: [...filter.filters, filter, ...result.filters]}
    }
    return result
  }

  /** A name in the same file, or `config:other.ini#name`. */
  async #use(search: Search, use: Setting): Promise<PasteSection | undefined> {
    const place = {file: use.source, line: use.line, key: use.key}
    const other = /^config:([^#]*)(?:#(.*))?$/.exec(use.value)
    if (!other) return this.#resolve(search, use.value, place)
    const path = decoded(other[1] ?? '')
    const file = await this.#files.read(
      resolve(isAbsolute(path) ? path : join(dirname(search.file.path), path)),
      place,
    )
    return file && this.#resolve({...search, file}, other[2], place)
  }

  async #pipeline(
    search: Search,
    pipeline: Setting | undefined,
    place: Place,
  ): Promise<PasteSection | undefined> {
    const names = pipeline?.value.split(/\s+/).filter(Boolean) ?? []
    const last = names.pop()
    if (!pipeline || last === undefined) {
      this.#problems.push({...place, message: 'missing: name filters, and an app at the end'})
      return undefined
    }
    const app = await this.#use(search, {...pipeline, value: last})
    const filters: PasteSection[] = []
    for (const name of names) {
      const filter = await this.#use({...search, kind: 'filter'}, {...pipeline, value: name})
      if (filter) filters.push(...filter.filters, filter)
    }
    return app && {...app, filters: [...filters, ...app.filters]}
  }

  /** `[filter-app:x]`: a filter whose `next` is the app. */
  async #filterApp(
    search: Search,
    own: Omit<PasteSection, 'loader' | 'filters'>,
    take: (key: string) => Setting | undefined,
  ): Promise<PasteSection | undefined> {
    const next = take('next')
    const filter = {...own, loader: take('use') ?? take('paste.filter_factory'), filters: []}
    if (!next) {
      this.#problems.push({file: own.file, line: own.line, key: 'next', message: 'missing: name the app'})
      return undefined
    }
    const app = await this.#use(search, next)
    return app && {...app, filters: [filter, ...app.filters]}
  }

  /** Of the mounted apps the one that is pypicloud. */
  async #composite(
    search: Search,
    settings: ReadonlyMap<string, Setting>,
    asked: Place,
  ): Promise<PasteSection | undefined> {
    const mounts = [...settings.values()].filter(({key}) => key.startsWith('/'))
    for (const mount of mounts) {
      const app = await this.#use(search, mount)
      if (!app?.loader || !isPypicloud(app.loader.value)) continue
      return {...app, mountPath: mount.key.replace(/\/+$/, '') + app.mountPath}
    }
    this.#problems.push({...asked, message: 'mounts no app with "use = egg:pypicloud"'})
    return undefined
  }

  /**
   * The keys of a section that are not also in `[DEFAULT]`, with `get x = y` resolved, and the globals after
   * `set x = y`.
   */
  #localSettings(
    {file, globals: inherited}: Search,
    name: string,
  ): {settings: Map<string, Setting>; globals: Map<string, string>} {
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
        this.#report(error, {file: file.path, line: file.defaults.get(key)?.line ?? 0, key})
      }
    }
    const fromGlobals: Setting[] = []
    for (const {key, value, line} of section?.entries.values() ?? []) {
      let text: string
      try {
        text = interpolate(value, other => section?.entries.get(other)?.value ?? defaults.get(other))
      } catch (error) {
        this.#report(error, {file: file.path, line, key})
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
        this.#files.warnings.push({file: file.path, line, key, message})
      }
    }
    for (const setting of fromGlobals) {
      const value = globals.get(setting.value)
      if (value === undefined) {
        const message = `found ${JSON.stringify(setting.value)}, which [DEFAULT] does not have`
        this.#problems.push({file: file.path, line: setting.line, key: `get ${setting.key}`, message})
      } else settings.set(setting.key, {...setting, value})
    }
    return {settings, globals}
  }

  #report(error: unknown, place: Place): void {
    if (!(error instanceof InterpolationError)) throw error
    this.#problems.push({...place, message: error.message})
  }
}

/** `egg:…`, `call:…`: Python code. `config:…` leads to a file. */
const isLoader = (use: string): boolean => /^(?!config:)[a-z]+:/i.test(use)

/** Whether a loader is the application that this project replaces. */
export const isPypicloud = (loader: string): boolean =>
  /^(?:egg:(?:pypicloud|ppc-toolkit)(?:#main)?|(?:call:)?pypicloud:main)$/.test(loader.trim())

const decoded = (path: string): string => {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}

function findSections(file: IniFile, kind: Kind, name: string | undefined) {
  return [...file.sections.values()].filter(section =>
    prefixes[kind].some(
      prefix =>
        (name === undefined && section.name === prefix) ||
        (section.name.startsWith(`${prefix}:`) &&
          section.name.slice(prefix.length + 1).trim() === (name ?? 'main')),
    ),
  )
}

function missingSection(file: IniFile, kind: Kind, name: string | undefined): string {
  const names = [...file.sections.keys()]
  const has = names.length === 0 ? 'it has no sections' : `it has ${names.map(one => `[${one}]`).join(' ')}`
  const app = kind === 'app' && names.find(one => /^(?:app|application):/.test(one))
  const hint =
    name === undefined && app ? `; ${file.path}#${app.replace(/^[^:]*:\s*/, '')} would choose [${app}]` : ''
  return `there is no [${kind}:${name ?? 'main'}] section; ${has}${hint}`
}
