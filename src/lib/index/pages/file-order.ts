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
/** Files that are put in their places one by one. */
const mostAdded = 50

interface Known {
  readonly files: readonly Filed[]
  /** Of `files`: which comes where. */
  readonly places: readonly number[]
  readonly versions: readonly string[]
}
const known = new LRUCache<string, Known>({maxSize: mostFiles, sizeCalculation: ({files}) => files.length})

/** As `orderOf`, for a list that nearly always is what it was, row by row, with new files at its end. */
export function orderAgain<T extends Filed>(project: string, files: readonly T[]): FileOrder<T> {
  if (files.length < worthKeeping) return orderOf(files)
  const before = known.get(project)
  const now = before && continues(before, files) ? extended(before, files) : knownOf(files)
  known.set(project, now)
  return {byName: now.places.map(place => files[place] as T), versions: now.versions}
}

const continues = ({files: before}: Known, files: readonly Filed[]): boolean =>
  files.length >= before.length &&
  files.length <= before.length + mostAdded &&
  before.every((one, place) => {
    const other = files[place]
    return one === other || (one.filename === other?.filename && one.version === other.version)
  })

function extended({files: before, places, versions}: Known, files: readonly Filed[]): Known {
  if (files.length === before.length) return {files, places, versions}
  const next = {places: [...places], versions: [...versions]}
  for (let place = before.length; place < files.length; place += 1) {
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
