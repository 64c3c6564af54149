import {packageType, parseFilename} from '../../packaging/filenames.js'
import type {CoreMetadata} from '../../packaging/metadata.js'
import {canonicalVersion, compareVersions, sameVersion} from '../../packaging/versions.js'
import {newestFirst} from '../releases.js'
import {legacyInfo, type LegacyInfo} from './legacy-info.js'
import type {FileDetail, ProjectDetail} from './project-detail.js'

export interface LegacyProject {
  readonly info: LegacyInfo
  /** PyPI counts its events with it; nobody does here. */
  readonly last_serial: null
  readonly releases: Readonly<Record<string, readonly LegacyFile[]>>
  readonly urls?: readonly LegacyFile[]
  readonly vulnerabilities: readonly never[]
}
export interface LegacyFile {
  readonly filename: string
  readonly packagetype: string
  readonly python_version: string
  readonly url: string
  readonly requires_python: string | null
  readonly digests?: {readonly md5: string | null; readonly sha256: string}
  readonly md5_digest?: string | null
  readonly size?: number
  readonly upload_time: string | null
  readonly upload_time_iso_8601: string | null
  readonly yanked: boolean
  readonly yanked_reason: string | null
  readonly comment_text: null
  readonly downloads: -1
  readonly has_sig: false
}

/** The files of each version as it stands in their names, newest first, and the version that is described. */
export interface LegacyReleases {
  readonly byVersion: ReadonlyMap<string, readonly FileDetail[]>
  readonly shown: string | undefined
}

/**
 * As in pypicloud, versions are read from the file names, files that have none are left out, and the version shown is
 * the highest, pre-releases included; but of those that are not yanked, if there are any.
 * @param version shows that one, in any spelling. @returns undefined when there is none of it.
 */
export function legacyReleases(detail: ProjectDetail, version?: string): LegacyReleases | undefined {
  const byVersion = new Map<string, FileDetail[]>()
  for (const file of newestFirst(detail.files)) {
    const parsed = versionOf(file, detail.name)
    if (parsed === undefined) continue
    const release = byVersion.get(parsed) ?? []
    byVersion.set(parsed, release)
    release.push(file)
  }
  const versions = [...byVersion.keys()].sort(compareVersions)
  if (version !== undefined) {
    const shown = versions.find(candidate => sameVersion(candidate, version))
    return shown === undefined ? undefined : {byVersion, shown}
  }
  const isYanked = (candidate: string) => byVersion.get(candidate)?.every(({yanked}) => yanked !== undefined)
  const shown = versions.filter(candidate => !isYanked(candidate)).at(-1) ?? versions.at(-1)
  return {byVersion, shown}
}

/** All files of the version that is described, in whatever spelling. */
export const shownFiles = ({byVersion, shown}: LegacyReleases): FileDetail[] =>
  shown === undefined
    ? []
    : [...byVersion].flatMap(([version, files]) => (sameVersion(version, shown) ? files : []))

/**
 * `/pypi/<project>/json` and `/pypi/<project>/<version>/json`.
 * @param requested the name as in the URL. @param metadata of the version that is described, where it can be read.
 */
export function legacyProject(
  requested: string,
  releases: LegacyReleases,
  metadata?: CoreMetadata,
): LegacyProject {
  const {byVersion, shown} = releases
  const files = shownFiles(releases)
  return {
    info: legacyInfo({
      name: requested,
      version: shown === undefined ? undefined : (canonicalVersion(shown) ?? shown),
      files,
      metadata,
    }),
    last_serial: null,
    releases: Object.fromEntries(
      [...byVersion].map(([version, release]) => [version, release.map(legacyFile)]),
    ),
    ...(shown !== undefined && {urls: files.map(legacyFile)}),
    vulnerabilities: [],
  }
}

function versionOf({filename}: FileDetail, project: string): string | undefined {
  try {
    return parseFilename(filename).version
  } catch {
    try {
      return parseFilename(filename, project).version
    } catch {
      return undefined
    }
  }
}

function legacyFile(file: FileDetail): LegacyFile {
  const {filename, url, sha256, md5, size, yanked} = file
  return {
    filename,
    packagetype: packageType(filename),
    python_version: pythonVersion(filename),
    url,
    requires_python: file.requiresPython ?? null,
    ...(sha256 !== undefined && {digests: {md5: md5 ?? null, sha256}, md5_digest: md5 ?? null}),
    ...(size !== undefined && {size}),
    upload_time: file.uploadTime?.slice(0, 19) ?? null,
    upload_time_iso_8601: file.uploadTime ?? null,
    yanked: yanked !== undefined,
    yanked_reason: yanked || null,
    comment_text: null,
    downloads: -1,
    has_sig: false,
  }
}

/** The Python tag of a wheel, else `source`. */
const pythonVersion = (filename: string): string =>
  /-([^-]+)-[^-]+-[^-]+\.whl$/.exec(filename)?.[1] ?? 'source'
