import {InvalidInput} from '../errors.js'
import {normalizeName} from './names.js'

/** In the order in which the original tries them. Others (`.tar.xz`, `.rpm`, `.WHL`) are none of a package for it. */
const endings = ['.tar.gz', '.tar.bz2', '.tar', '.zip', '.tgz', '.tbz', '.egg', '.exe', '.whl'] as const

/** The ending of a distribution file, or undefined. Case matters. */
export const fileEnding = (filename: string): string | undefined =>
  endings.find(ending => filename.endsWith(ending))

/** As the JSON API of pypicloud says it: a sdist is a `.tar.gz`, a `.zip` is nothing. */
export function packageType(filename: string): 'sdist' | 'bdist_wheel' | 'bdist_egg' | '' {
  if (filename.endsWith('.tar.gz')) return 'sdist'
  if (filename.endsWith('.whl')) return 'bdist_wheel'
  if (filename.endsWith('.egg')) return 'bdist_egg'
  return ''
}

/**
 * Project (normalised) and version that a file name stands for, as pypicloud 1.3.12 reads it, quirks included: `foo-1.0.whl` is of
 * version `1.0.whl`, an epoch in an sdist's name is lost. `nameHint`: the project, when it is known.
 * @throws {InvalidInput}
 */
export function parseFilename(filename: string, nameHint?: string): {name: string; version: string} {
  const ending = fileEnding(filename)
  const parsed =
    ending === undefined
      ? undefined
      : ending === '.whl'
        ? splitWheelName(filename)
        : splitOtherName(filename.slice(0, -ending.length), nameHint)
  if (parsed === undefined)
    throw new InvalidInput(`No project and version can be read from the file name ${quote(filename)}.`)
  return {name: normalizeName(parsed.name), version: parsed.version}
}

const startsWithDigit = (text: string | undefined): text is string =>
  text !== undefined && /^\p{Nd}/u.test(text)
const word = String.raw`[\p{L}\p{N}_]`
const pythonTags = new RegExp(String.raw`^${word}+\p{Nd}(?:\.${word}+\p{Nd})*$`, 'u')
const abiTag = new RegExp(`^${word}+$`, 'u')
const platformTags = new RegExp(String.raw`^${word}+(?:\.${word}+)*$`, 'u')

/** As distlib's `Wheel`: its pattern for "name-version" is tried first and takes `foo-1.0.whl` as a whole. */
function splitWheelName(filename: string): {name: string; version: string} | undefined {
  const parts = filename.split('-')
  const [name = '', version] = parts
  if (name === '' || !startsWithDigit(version)) return undefined
  if (parts.length === 2 || (parts.length === 3 && startsWithDigit(parts[2])))
    return {name, version: version.replaceAll('_', '-')}
  const tags = filename.slice(0, -'.whl'.length).split('-').slice(2)
  if (tags.length === 4 && startsWithDigit(tags[0])) tags.shift()
  const [python = '', abi = '', platform = ''] = tags
  const fits = tags.length === 3 && pythonTags.test(python) && abiTag.test(abi) && platformTags.test(platform)
  return fits ? {name, version} : undefined
}

/** As distlib's `split_filename`. */
function splitOtherName(
  stem: string,
  nameHint: string | undefined,
): {name: string; version: string} | undefined {
  const text = withoutPythonTag(percentDecode(stem).replaceAll(' ', '-'))
  if (
    nameHint !== undefined &&
    nameHint !== '' &&
    text.length > nameHint.length + 1 &&
    text.startsWith(nameHint)
  ) {
    const onWordBoundary = isWord(nameHint.at(-1)) !== isWord(text[nameHint.length])
    if (onWordBoundary) return {name: nameHint, version: text.slice(nameHint.length + 1)}
  }
  const match = /^([a-z0-9_]+(?:[.-][a-z_][a-z0-9_]*)*)-([a-z0-9_.+-]+)/i.exec(text)
  if (match === null) return undefined
  const [, name = '', version = ''] = match
  return {name: nameHint === undefined || nameHint === '' ? name : nameHint, version}
}

const isWord = (character: string | undefined): boolean => character !== undefined && abiTag.test(character)

/** Cuts at the first `-py3`, `-py2.7` …, wherever it is. */
export const withoutPythonTag = (stem: string): string => {
  const at = stem.search(/-py\p{Nd}/u)
  return at === -1 ? stem : stem.slice(0, at)
}

/** As Python's `unquote`: what is no escape stays, bytes that are no UTF-8 become U+FFFD. */
const percentDecode = (text: string): string =>
  text.replace(/(?:%[0-9a-f]{2})+/gi, run => Buffer.from(run.replaceAll('%', ''), 'hex').toString())

export interface WheelFilename {
  /** As written, not normalised. */
  readonly name: string
  readonly version: string
  /** Empty when there is none. */
  readonly build: string
  readonly pythonTags: readonly string[]
  readonly abiTags: readonly string[]
  readonly platformTags: readonly string[]
}

/** A wheel's file name as installers read it, PEP 427 §File name convention. @throws {InvalidInput} */
export function parseWheelFilename(filename: string): WheelFilename {
  const match =
    /^(?<name>[a-z0-9_.]+)-(?<version>[a-z0-9_.!+]+)(?:-(?<build>\d[a-z0-9_.]*))?-(?<python>[a-z0-9_.]+)-(?<abi>[a-z0-9_.]+)-(?<platform>[a-z0-9_.]+)\.whl$/i.exec(
      filename,
    )
  if (match?.groups === undefined)
    throw new InvalidInput(
      `The file name ${quote(filename)} is not that of a wheel: name-version[-build]-python-abi-platform.whl.`,
    )
  const {name = '', version = '', build = '', python = '', abi = '', platform = ''} = match.groups
  return {
    name,
    version,
    build,
    pythonTags: python.split('.'),
    abiTags: abi.split('.'),
    platformTags: platform.split('.'),
  }
}

const longestFilename = 255 // bytes: what file systems take

/**
 * Refuses file names that are dangerous as a path, an object key, a header or a link, on any system; also where they are so only
 * once decoded (`%2e%2e%2f`). @throws {InvalidInput}
 */
export function checkFilename(filename: string): void {
  for (const text of new Set([filename, percentDecode(filename)])) {
    const fault = faultOf(text)
    if (fault !== undefined) throw new InvalidInput(`The file name ${quote(filename)} ${fault}.`)
  }
}

function faultOf(filename: string): string | undefined {
  if (filename === '') return 'is empty'
  if (Buffer.byteLength(filename) > longestFilename) return `is longer than ${longestFilename} bytes`
  if (/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(filename)) return 'holds control or invisible characters'
  if (filename.includes('\ufffd')) return 'is not UTF-8'
  if (/[/\\]/.test(filename)) return 'holds a path separator'
  if (filename.includes('..')) return 'holds ".."'
  if (/[<>:"|?*]/.test(filename)) return 'holds one of < > : " | ? *'
  if (filename.startsWith('.')) return 'starts with a dot'
  if (/[. ]$/.test(filename) || filename.startsWith(' '))
    return 'starts with a blank or ends with a dot or blank'
  return undefined
}

/** For messages: in quotes, control characters escaped, not endless. */
export const quote = (text: string): string => {
  const short = text.length > 120 ? `${text.slice(0, 120)}…` : text
  return JSON.stringify(short).replace(
    /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
