import type {DistFile} from '../packaging/dist-file.js'
import {fileEnding} from '../packaging/filenames.js'
import {normalizeName} from '../packaging/names.js'
import {compareVersions, sameVersion} from '../packaging/versions.js'

/** Newest version first; within one, by file name backwards, as pypicloud would order them by its key. */
export const newestFirst = <T extends Pick<DistFile, 'filename' | 'version'>>(files: readonly T[]): T[] =>
  [...files].sort(
    (a, b) =>
      compareVersions(b.version, a.version) ||
      (a.filename < b.filename ? 1 : a.filename > b.filename ? -1 : 0),
  )

type Release = Pick<DistFile, 'filename' | 'name' | 'version'>

/** Of `files`, one that is the same sdist under another spelling: `foo-bar-1.0.tar.gz` and `foo_bar-1.0.tar.gz`. */
export function findOtherSpelling<T extends Release>(file: Release, files: readonly T[]): T | undefined {
  const ending = sdistEnding(file)
  if (ending === undefined) return undefined
  return files.find(
    other =>
      other.filename !== file.filename &&
      sameVersion(other.version, file.version) &&
      sdistEnding(other) === ending,
  )
}

/** Undefined unless the file name is project, dash, version: `foo-1.0-linux-x86_64.tar.gz` is no sdist. */
function sdistEnding({filename, name, version}: Release): string | undefined {
  const ending = fileEnding(filename)
  if (ending === undefined || ending === '.whl' || ending === '.egg' || ending === '.exe') return undefined
  const stem = filename.slice(0, -ending.length)
  for (let dash = stem.indexOf('-'); dash !== -1; dash = stem.indexOf('-', dash + 1)) {
    if (normalizeName(stem.slice(0, dash)) === name && sameVersion(stem.slice(dash + 1), version))
      return ending
  }
  return undefined
}
