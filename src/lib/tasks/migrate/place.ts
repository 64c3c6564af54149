import type {DistFile, DistFileData} from '../../packaging/dist-file.js'
import type {PackageStorage} from '../../storage/package-storage.js'
import {publishedAt} from './times.js'
import type {PlannedFile} from './plan.js'

/**
 * Of what the target has under this file name, what is this file: file names are unique in an index, but a tree can hold
 * one for several versions, and a bucket one under several keys (another spelling, hash prefix or layout). A copy under
 * the usual key would give it the same file twice.
 */
export function findInTarget(
  target: PackageStorage,
  file: DistFile,
  candidates: readonly PlannedFile[],
): PlannedFile | undefined {
  const fitting =
    target.store.layout === 'tree'
      ? candidates.filter(({project, version}) => project === file.name && version === file.version)
      : candidates
  const usual = usualKeyOf(target, file)
  return (
    fitting.find(({key}) => key === usual) ?? fitting.find(({project}) => project === file.name) ?? fitting[0]
  )
}

/** The file as the target is to have it, at `key` or, without one, at its usual key there. */
export function placeInTarget(target: PackageStorage, file: DistFile, key?: string): DistFile {
  const data: DistFileData = {
    ...withoutPath(file).data,
    ...(target.store.keepsModified !== true && {
      upload_time: file.data.upload_time ?? publishedAt(file).toISOString(),
    }),
    ...(key !== undefined && {path: key}),
  }
  return {...file, lastModified: publishedAt(file), data}
}

/** Without the key that it has where it comes from. */
export const withoutPath = (file: DistFile): DistFile => ({
  ...file,
  data: Object.fromEntries(Object.entries(file.data).filter(([member]) => member !== 'path')),
})

/** Undefined for a name that can't be there. */
export function usualKeyOf(storage: PackageStorage, file: DistFile): string | undefined {
  try {
    return storage.usualKeyOf(file)
  } catch {
    return undefined
  }
}
