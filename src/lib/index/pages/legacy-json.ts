import type {DistFile} from '../../packaging/dist-file.js'
import {packageType, parseFilename} from '../../packaging/filenames.js'
import {canonicalVersion, compareVersions, sameVersion} from '../../packaging/versions.js'
import type {AddressOf} from './markup.js'
import {sizeOf, uploadTimeOf} from './project-page.js'

export interface LegacyProject {
  readonly info: {
    readonly name: string
    readonly license: ''
    readonly classifiers: readonly string[]
    readonly version?: string
  }
  readonly releases: Readonly<Record<string, readonly LegacyFile[]>>
  readonly urls?: readonly LegacyFile[]
}
export interface LegacyFile {
  readonly filename: string
  readonly packagetype: string
  readonly url: string
  readonly requires_python: string | null
  readonly digests?: {readonly md5: string | null; readonly sha256: string}
  readonly md5_digest?: string | null
  readonly size?: number
  readonly upload_time_iso_8601: string
  readonly yanked: false
}

/**
 * `/pypi/<project>/json`. As in pypicloud, versions are read from the file names, files that have none are left out,
 * and the version shown is the highest, pre-releases included.
 * @param requested the name as in the URL.
 * @param files newest first.
 * @param options `addressOf`: absolute. `version`: show that one, in any spelling.
 * @returns undefined when there is no file, or none of `version`.
 */
export function legacyProject(
  requested: string,
  files: readonly DistFile[],
  {addressOf, version}: {readonly addressOf: AddressOf; readonly version?: string},
): LegacyProject | undefined {
  const releases = new Map<string, LegacyFile[]>()
  for (const file of files) {
    const parsed = versionOf(file)
    if (parsed === undefined) continue
    const release = releases.get(parsed) ?? []
    releases.set(parsed, release)
    release.push(legacyFile(file, addressOf))
  }
  const versions = [...releases.keys()].sort(compareVersions)
  const shown =
    version === undefined ? versions.at(-1) : versions.find(candidate => sameVersion(candidate, version))
  if (files.length === 0 || (version !== undefined && shown === undefined)) return undefined
  return {
    info: {
      name: requested,
      license: '',
      classifiers: [],
      ...(shown !== undefined && {version: canonicalVersion(shown) ?? shown}),
    },
    releases: Object.fromEntries(releases),
    ...(shown !== undefined && {
      urls: [...releases].flatMap(([candidate, release]) => (sameVersion(candidate, shown) ? release : [])),
    }),
  }
}

function versionOf({filename, name}: DistFile): string | undefined {
  try {
    return parseFilename(filename).version
  } catch {
    try {
      return parseFilename(filename, name).version
    } catch {
      return undefined
    }
  }
}

function legacyFile(file: DistFile, addressOf: AddressOf): LegacyFile {
  const {requires_python, hash_sha256, hash_md5} = file.data
  const size = sizeOf(file)
  return {
    filename: file.filename,
    packagetype: packageType(file.filename),
    url: addressOf(file),
    requires_python: requires_python ?? null,
    ...(hash_sha256 !== undefined && {
      digests: {md5: hash_md5 ?? null, sha256: hash_sha256},
      md5_digest: hash_md5 ?? null,
    }),
    ...(size !== undefined && {size}),
    upload_time_iso_8601: uploadTimeOf(file),
    yanked: false,
  }
}
