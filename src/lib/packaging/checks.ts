import {InvalidInput} from '../errors.js'
import {
  checkFilename,
  fileEnding,
  parseFilename,
  parseWheelFilename,
  quote,
  withoutPythonTag,
} from './filenames.js'
import type {CoreMetadata} from './metadata.js'
import {isProjectName, normalizeName} from './names.js'
import {canonicalVersion, isVersion, sameVersion} from './versions.js'

export interface ReleaseClaims {
  readonly filename: string
  /** What the form says. Empty is as good as absent. */
  readonly name?: string | undefined
  readonly version?: string | undefined
  readonly requiresPython?: string | undefined
  /** What the archive says. */
  readonly metadata?:
    (Pick<CoreMetadata, 'name' | 'version'> & Partial<Pick<CoreMetadata, 'requiresPython'>>) | undefined
}

interface Claim {
  readonly value: string
  /** For messages: 'the form'. */
  readonly from: string
}

/**
 * Of which project (normalised) and version (as the form spells it, or else the archive, or else the file name) an uploaded file is.
 * @throws {InvalidInput} when one of the three is malformed or says another thing than the others: both values are named.
 */
export function checkRelease(claims: ReleaseClaims): {name: string; version: string} {
  const {filename, metadata} = claims
  checkFilename(filename)
  const names = present([claims.name, 'the form'], [metadata?.name, 'the metadata in the archive'])
  const versions = present([claims.version, 'the form'], [metadata?.version, 'the metadata in the archive'])
  for (const {value, from} of names)
    if (!isProjectName(value))
      throw new InvalidInput(
        `The project name ${quote(value)} of ${from} is not one: only ASCII letters, digits and . _ - in between.`,
      )
  for (const {value, from} of versions)
    if (!isVersion(value))
      throw new InvalidInput(`The version ${quote(value)} of ${from} is not one, see PEP 440.`)
  for (const {value, from} of present(
    [claims.requiresPython, 'the form'],
    [metadata?.requiresPython, 'the metadata in the archive'],
  ))
    if (!isPythonRange(value))
      throw new InvalidInput(
        `The Python versions ${quote(value)} of ${from} are no list such as ">=3.9,<4", see PEP 440: some installers would not see the file.`,
      )
  agree('project name', names, (a, b) => normalizeName(a) === normalizeName(b))
  agree('version', versions, sameVersion)

  const [name, version] = [names[0], versions[0]]
  const stands = readFilename(filename, name?.value, version?.value)
  const fromFilename = 'the file name'
  if (!isProjectName(stands.name) || !isVersion(stands.version))
    throw new InvalidInput(`No project and version can be read from the file name ${quote(filename)}.`)
  if (name !== undefined)
    agree(
      'project name',
      [{value: stands.name, from: fromFilename}, name],
      (a, b) => normalizeName(a) === normalizeName(b),
    )
  if (version !== undefined)
    agree('version', [{value: stands.version, from: fromFilename}, version], sameAsInFilename)
  return {name: normalizeName(name?.value ?? stands.name), version: version?.value ?? stands.version}
}

/** Also what older tools wrote and installers still read: blanks, parentheses around all, `>=3.6.*`. */
const isPythonRange = (text: string): boolean =>
  text
    .replace(/^\((.*)\)$/s, '$1')
    .split(',')
    .every(clause => /^(?:(?:===|[~=!<>]=|[<>])?\s*v?\d[\w.*+!-]*)?$/i.test(clause.trim()))

const present = (...pairs: [value: string | undefined, from: string][]): Claim[] =>
  pairs.flatMap(([value, from]) => {
    const trimmed = value?.trim() ?? ''
    return trimmed === '' ? [] : [{value: trimmed, from}]
  })

function agree(
  what: string,
  [first, second]: readonly Claim[],
  same: (a: string, b: string) => boolean,
): void {
  if (first === undefined || second === undefined || same(first.value, second.value)) return
  throw new InvalidInput(
    `The ${what} differs: ${quote(first.value)} in ${first.from}, ${quote(second.value)} in ${second.from}.`,
  )
}

/** What a file name stands for; where it can be read in several ways (`foo-bar-2-1.0.zip`), the one that fits. */
function readFilename(filename: string, name?: string, version?: string): {name: string; version: string} {
  if (filename.endsWith('.whl')) return parseWheelFilename(filename)
  const ending = fileEnding(filename)
  if (ending === undefined && (name === undefined || version === undefined)) return parseFilename(filename)
  const stem = withoutPythonTag(ending === undefined ? filename : filename.slice(0, -ending.length))
  for (const candidate of splits(stem)) {
    if (name === undefined || normalizeName(candidate.name) !== normalizeName(name)) continue
    if (version === undefined) return candidate
    // Installers of distutils and packages of other systems carry a platform or an architecture behind the version.
    const bare = ending === undefined ? candidate.version.replace(/\.\w+$/, '') : candidate.version
    for (const text of [candidate.version, bare, bare.replace(platform, '')])
      if (sameAsInFilename(text, version)) return {name: candidate.name, version: text}
  }
  return ending === undefined ? foreign(filename, stem) : parseFilename(filename)
}

const platform = /[.-](?:linux|macosx|win32|win-|win_|cygwin|mingw|freebsd|noarch|src|\d+\.noarch)[\w.-]*$/i

/** Every way to read "name-version". */
function* splits(stem: string): Generator<{name: string; version: string}> {
  for (let dash = stem.indexOf('-'); dash !== -1; dash = stem.indexOf('-', dash + 1))
    yield {name: stem.slice(0, dash), version: stem.slice(dash + 1)}
}

/** A file of another kind (`weird.rpm`): only for the message about what it is not. */
const foreign = (filename: string, stem: string): {name: string; version: string} => {
  for (const candidate of splits(stem)) if (/^\d/.test(candidate.version)) return candidate
  return parseFilename(filename)
}

/** Tools write `_` or `-` where a version has `+`, `!` or `-`, since those were not always allowed in file names. */
export function sameAsInFilename(inFilename: string, version: string): boolean {
  if (sameVersion(inFilename, version)) return true
  if (canonicalVersion(inFilename) !== undefined && !inFilename.includes('_')) return false
  const spellings = new Set([escape(version), escape(canonicalVersion(version) ?? version)])
  return spellings.has(escape(inFilename))
}

const escape = (version: string): string => version.toLowerCase().replace(/[^a-z0-9.]+/g, '_')
