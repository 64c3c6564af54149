import {satisfies, validRange} from '@renovatebot/pep440/lib/specifier.js'
import {isProjectName, normalizeName} from '../../packaging/names.js'
import {canonicalVersion, compareVersions} from '../../packaging/versions.js'
import type {UpstreamFile} from './project.js'

/** One line of a requirements file, as far as an index can act on it: extras and markers are left aside. */
export interface Requirement {
  /** Normalised. */
  readonly project: string
  /** PEP 440, `>=1.0,<2`. Empty: any. */
  readonly specifier: string
}

export interface Wish {
  /** Rather a wheel than an sdist; otherwise only an sdist. */
  readonly wheel: boolean
  /** Also versions that PEP 440 calls pre-releases. */
  readonly prerelease: boolean
}

/** Lines with something on them, without comments. */
export const requirementLines = (text: string): string[] =>
  text
    .split(/\r?\n/)
    .map(line => line.replace(/(?:^|\s)#.*$/, '').trim())
    .filter(line => line !== '')

/** Undefined for what names no project and versions of it: options, addresses, paths. */
export function parseRequirement(line: string): Requirement | undefined {
  const [, name = '', rest = ''] =
    /^([\w.-]+?)\s*(?:\[[^\]]*\]\s*)?((?:[(<>=!~].*)?)$/.exec(line.split(';')[0]?.trim() ?? '') ?? []
  const specifier = rest.replace(/^\((.*)\)$/, '$1').trim()
  if (!isProjectName(name) || (specifier !== '' && !validRange(specifier))) return undefined
  return {project: normalizeName(name), specifier}
}

/** The file of the highest version that is asked for. Yanked ones only where a version is named exactly (PEP 592). */
export function bestFile(
  files: readonly UpstreamFile[],
  {specifier}: Requirement,
  {wheel, prerelease}: Wish,
): UpstreamFile | undefined {
  const isExact = /^===?[^*,]+$/.test(specifier)
  const fitting = files.filter(
    ({filename, version, yanked}) =>
      (wheel ? kindOf(filename) > 0 : kindOf(filename) === 1) &&
      (yanked === undefined || isExact) &&
      canonicalVersion(version) !== undefined &&
      (specifier === '' || satisfies(version, specifier, {prereleases: true})),
  )
  const stable = fitting.filter(({version}) => !isPrerelease(version))
  const wanted = prerelease || stable.length === 0 || isExact ? fitting : stable
  return [...wanted].sort(
    (a, b) => compareVersions(b.version, a.version) || kindOf(b.filename) - kindOf(a.filename),
  )[0]
}

const isPrerelease = (version: string): boolean => /(?:a|b|rc|dev)\d/.test(canonicalVersion(version) ?? '')

/** 3 a wheel for every machine, 2 another wheel, 1 an sdist, 0 something older. */
function kindOf(filename: string): number {
  if (filename.endsWith('-none-any.whl')) return 3
  if (filename.endsWith('.whl')) return 2
  return /\.(?:tar\.gz|zip)$/.test(filename) ? 1 : 0
}
