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
import {dirname, isAbsolute, join, resolve} from 'node:path'
import type {IniFile} from './ini.js'
import type {PasteFiles, Place} from './paste-files.js'
import {localSettings, type Setting} from './paste-settings.js'
import type {ConfigProblem} from './problems.js'

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
    const {settings, globals} = localSettings(file, section.name, search.globals, this.#files)
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
