import {LRUCache} from 'lru-cache'
import type {DistFile} from '../../packaging/dist-file.js'
import {canonicalVersion, compareVersions, sortedVersions} from '../../packaging/versions.js'

type Filed = Pick<DistFile, 'filename' | 'version'>

/** In which order a project's files and versions are shown. */
export interface FileOrder<T extends Filed = Filed> {
  /** By file name, whatever the case. */
  readonly byName: readonly T[]
  /** Ascending, in the normal form of PEP 440 where they have one. */
  readonly versions: readonly string[]
}

/** The order of any list. @param files with different names. */
export function orderOf<T extends Filed>(files: readonly T[]): FileOrder<T> {
  const keyed = files.map(file => ({file, key: file.filename.toLowerCase()}))
  keyed.sort((a, b) => order(a.key, b.key) || order(a.file.filename, b.file.filename))
  return {
    byName: keyed.map(({file}) => file),
    versions: sortedVersions(new Set(files.map(shownVersion))),
  }
}

const shownVersion = ({version}: Filed): string => canonicalVersion(version) ?? version
const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
const byName = (a: string, b: string): number => order(a.toLowerCase(), b.toLowerCase()) || order(a, b)

/** Files. To sort fewer takes no time. */
const worthKeeping = 500
/** Files of all projects. */
const mostFiles = 40_000
/** Files that are taken out, or put in their places, one by one. */
const mostChanged = 50

interface Known {
  readonly files: readonly Filed[]
  /** Of `files`: which comes where. */
  readonly places: readonly number[]
  readonly versions: readonly string[]
}
const known = new LRUCache<string, Known>({maxSize: mostFiles, sizeCalculation: ({files}) => files.length})

/** As `orderOf`, for a list that nearly always is what it was, row by row, without some files and with new ones at its end. */
export function orderAgain<T extends Filed>(project: string, files: readonly T[]): FileOrder<T> {
  if (files.length < worthKeeping) return orderOf(files)
  const before = known.get(project)
  const now = (before && continued(before, files)) ?? knownOf(files)
  known.set(project, now)
  return {byName: now.places.map(place => files[place] as T), versions: now.versions}
}

/** @returns undefined when too much has changed. */
function continued(before: Known, files: readonly Filed[]): Known | undefined {
  const removed: Filed[] = []
  let next = 0
  const placesNow = before.files.map(file => {
    if (isSame(file, files[next])) return next++
    removed.push(file)
    return -1
  })
  if (removed.length > mostChanged || files.length - next > mostChanged) return undefined
  return extended(removed.length === 0 ? before : without(removed, before, placesNow), files, next)
}

const isSame = (one: Filed, other: Filed | undefined): boolean =>
  one === other || (one.filename === other?.filename && one.version === other.version)

/** @param placesNow of each file before; negative: it is gone. */
function without(
  removed: readonly Filed[],
  {files, places, versions}: Known,
  placesNow: readonly number[],
): Known {
  const gone = new Set(removed.map(shownVersion))
  files.forEach((file, place) => {
    if (placesNow[place] !== -1) gone.delete(shownVersion(file))
  })
  return {
    files,
    places: places.map(place => placesNow[place] as number).filter(place => place !== -1),
    versions: versions.filter(version => !gone.has(version)),
  }
}

/** @param from where the new files begin, which have no places yet. */
function extended({places, versions}: Known, files: readonly Filed[], from: number): Known {
  if (files.length === from) return {files, places, versions}
  const next = {places: [...places], versions: [...versions]}
  for (let place = from; place < files.length; place += 1) {
    const file = files[place] as Filed
    const name = (at: number) => (files[at] as Filed).filename
    next.places.splice(
      findPlace(next.places, at => byName(name(at), file.filename)),
      0,
      place,
    )
    const version = shownVersion(file)
    if (next.versions.includes(version)) continue
    next.versions.splice(
      findPlace(next.versions, other => compareVersions(other, version)),
      0,
      version,
    )
  }
  return {files, ...next}
}

function knownOf(files: readonly Filed[]): Known {
  const placed = new Map(files.map((file, place) => [file, place]))
  const {byName: sorted, versions} = orderOf(files)
  return {files, places: sorted.map(file => placed.get(file) ?? 0), versions}
}

/** @returns where something belongs in a sorted list, behind all that it equals. */
function findPlace<T>(sorted: readonly T[], compare: (other: T) => number): number {
  let [low, high] = [0, sorted.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (compare(sorted[middle] as T) <= 0) low = middle + 1
    else high = middle
  }
  return low
}
