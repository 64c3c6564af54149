import {createHash} from 'node:crypto'
import {InvalidInput} from '../errors.js'
import type {DistFile} from '../packaging/dist-file.js'
import {normalizeName} from '../packaging/names.js'
import type {Layout} from './storage.js'

/** What a key says by itself. Names are as spelt in it. */
export interface KeyParts {
  readonly name: string
  /** Only trees have it. */
  readonly version?: string
  readonly filename: string
}
export type FileCoordinates = Pick<DistFile, 'name' | 'version' | 'filename' | 'data'>

/** Room for `.meta` behind a file name, whose limit is 255 bytes on every file system. */
const longestComponent = 250

/**
 * The key under which a distribution file lies. What a listing recorded (`data.path`) wins over what would be
 * computed today, as pypicloud does it on object stores: a changed prefix must not orphan what is there. In a tree it
 * counts only when it names the same file, in a directory spelt otherwise (`Foo_Bar/1.0/…`): rows that were taken over
 * from a bucket hold keys of that bucket.
 * @param prefix of all keys of the store.
 * @throws {InvalidInput} when name, version or file name would lead out of the store.
 */
export function keyOf(layout: Layout, file: FileCoordinates, prefix = ''): string {
  const recorded = file.data.path
  if (recorded !== undefined && (layout !== 'tree' || isSameFile(recorded, file))) return recorded
  return prefix + computedKey(layout, file)
}

/**
 * ```
 * tree    foo-bar/1.0/foo_bar-1.0.tar.gz
 * hashed  f3a9/foo-bar/foo_bar-1.0.tar.gz      (the first four hex digits of the file name's MD5)
 * flat    foo-bar/foo_bar-1.0.tar.gz
 * ```
 * @throws {InvalidInput}
 */
export function computedKey(layout: Layout, file: Omit<FileCoordinates, 'data'>): string {
  checkComponent('project name', file.name)
  checkComponent('file name', file.filename)
  if (file.filename.startsWith('.'))
    throw new InvalidInput(`the file name "${file.filename}" begins with a dot`)
  if (layout === 'flat') return `${file.name}/${file.filename}`
  if (layout === 'hashed') return `${hashPrefix(file.filename)}/${file.name}/${file.filename}`
  checkComponent('version', file.version)
  if (file.filename.endsWith('.meta')) {
    throw new InvalidInput(`the file name "${file.filename}" ends in .meta, which is kept for metadata`)
  }
  return `${file.name}/${file.version}/${file.filename}`
}

/** Spreads keys over the partitions of a bucket. pypicloud: `storage.prepend_hash`. */
export const hashPrefix = (filename: string): string =>
  createHash('md5').update(filename, 'utf8').digest('hex').slice(0, 4)

/** Undefined for a key that is not laid out so. `hashed` reads keys without a hash too: buckets hold both. */
export function parseKey(layout: Layout, key: string): KeyParts | undefined {
  const parts = key.split('/')
  if (parts.some(part => part === '')) return undefined
  const filename = parts.at(-1)
  if (filename === undefined) return undefined
  if (layout === 'tree') {
    const [name, version] = parts
    if (parts.length !== 3 || name === undefined || version === undefined) return undefined
    return {name, version, filename}
  }
  const hash = layout === 'hashed' && parts.length === 3 && parts[0] === hashPrefix(filename)
  const name = hash ? parts[1] : parts[0]
  return name !== undefined && parts.length === (hash ? 3 : 2) ? {name, filename} : undefined
}

/** More listings than this take longer than one of everything. */
const mostPrefixes = 20

/**
 * What the keys of these projects (normalised names) begin with. A directory may spell the name in another way
 * (`Foo.Bar`), which only its first letter survives.
 */
export function prefixesOf(layout: Layout, projects: ReadonlySet<string>): readonly string[] {
  const everything = ['']
  const letters = [...new Set(Array.from(projects, name => name.slice(0, 1)))]
  if (layout === 'hashed' || !letters.every(letter => /[a-z0-9]/.test(letter))) return everything
  const prefixes = new Set(letters.flatMap(letter => [letter, letter.toUpperCase()]))
  return prefixes.size > mostPrefixes ? everything : [...prefixes].sort()
}

/**
 * Refuses what could leave its directory, on any platform, or can't be shown on one line of a terminal.
 * @throws {InvalidInput}
 */
export function checkComponent(what: string, text: string): void {
  const reason = componentProblem(text)
  if (reason !== undefined)
    throw new InvalidInput(`the ${what} ${JSON.stringify(text.slice(0, 300))} ${reason}`)
}

function componentProblem(text: string): string | undefined {
  if (text === '') return 'is empty'
  if (text === '.' || text === '..') return 'is no name'
  if (/[/\\]/.test(text)) return 'holds a path separator'
  if (/[\x00-\x1f\x7f-\x9f\u2028\u2029]/.test(text)) return 'holds a control character'
  if (/^[a-z]:/i.test(text)) return 'begins like a drive'
  if (/\p{Surrogate}/u.test(text)) return 'is not valid Unicode'
  if (Buffer.byteLength(text) > longestComponent) return `is longer than ${longestComponent} bytes`
  return undefined
}

function isSameFile(key: string, file: FileCoordinates): boolean {
  const parts = parseKey('tree', key)
  return (
    parts !== undefined &&
    parts.filename === file.filename &&
    parts.version === file.version &&
    normalizeName(parts.name) === file.name &&
    [parts.name, file.version, file.filename].every(part => componentProblem(part) === undefined)
  )
}
