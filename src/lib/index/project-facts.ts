import type {DistFile} from '../packaging/dist-file.js'
import {sameVersion, versionKey} from '../packaging/versions.js'

/** PEP 792. A project of which nothing is said is active. */
export const projectStates = ['active', 'archived', 'quarantined', 'deprecated'] as const
export type ProjectState = (typeof projectStates)[number]

export interface ProjectStatus {
  readonly state: Exclude<ProjectState, 'active'>
  readonly reason?: string
}

/** What was said of a project beside its files. No rebuild can derive it: it is kept in the notes of the storage. */
export interface ProjectFacts {
  readonly status: ProjectStatus | undefined
  readonly yanked: Yanked
}

/** Reasons, which may be empty. */
export interface Yanked {
  readonly files: ReadonlyMap<string, string>
  /** By `versionKey`. */
  readonly versions: ReadonlyMap<string, string>
}

/**
 * The reason for which a file was yanked (PEP 592), alone or with its release. Undefined: it was not.
 * @param keyOf gives the `versionKey` of the file's version.
 */
export const yankOf = (
  {yanked}: ProjectFacts,
  file: Pick<DistFile, 'filename' | 'version'>,
  keyOf: () => string = () => versionKey(file.version),
) => yanked.files.get(file.filename) ?? (yanked.versions.size > 0 ? yanked.versions.get(keyOf()) : undefined)

export const isQuarantined = ({status}: ProjectFacts): boolean => status?.state === 'quarantined'

/** One yank as it is noted. */
export interface NotedYank {
  readonly reason?: string
  readonly since: string
  /** User name. */
  readonly by?: string
}
/** Of one project, as it is noted: by version as somebody spelt it, and by file name. */
export interface NotedYanks {
  readonly versions: Readonly<Record<string, NotedYank>>
  readonly files: Readonly<Record<string, NotedYank>>
}
export interface NotedStatus {
  readonly state: string
  readonly reason?: string
  readonly since: string
  readonly by?: string
}

/** Members of the notes: `{"acme": {"state": "archived", "since": …}}` and `{"acme": {"versions": {"1.0": …}, "files": {}}}`. */
export const statusMember = 'status'
export const yankedMember = 'yanked'

/** @param project normalised. What can't be read counts as not said. */
export function factsOf(members: ReadonlyMap<string, unknown>, project: string): ProjectFacts {
  const {versions, files} = yanksIn(members.get(yankedMember), project)
  return {
    status: statusIn(members.get(statusMember), project),
    yanked: {
      files: new Map(Object.entries(files).map(([name, yank]) => [name, reasonOf(yank)])),
      versions: new Map(
        Object.entries(versions).map(([version, yank]) => [versionKey(version), reasonOf(yank)]),
      ),
    },
  }
}

function statusIn(member: unknown, project: string): ProjectStatus | undefined {
  const noted = entryOf(member, project)
  const state = projectStates.find(known => known === noted?.['state'])
  if (state === undefined || state === 'active') return undefined
  const reason = reasonOf(noted)
  return {state, ...(reason !== '' && {reason})}
}

/** The noted yanks of one project. */
export function yanksIn(member: unknown, project: string): NotedYanks {
  const noted = entryOf(member, project)
  const part = (name: string) => (isRecord(noted?.[name]) ? noted[name] : {}) as Record<string, NotedYank>
  return {versions: part('versions'), files: part('files')}
}

/** @returns `member` with these yanks of a project, or without the project when there are none; undefined when empty. */
export function withYanks(member: unknown, project: string, {versions, files}: NotedYanks): unknown {
  const isEmpty = Object.keys(versions).length + Object.keys(files).length === 0
  return withEntry(member, project, isEmpty ? undefined : {versions, files})
}

/** @returns `member` with another entry for a project, or without one; undefined when nothing is left. */
export function withEntry(member: unknown, project: string, entry: object | undefined): unknown {
  const others = Object.entries(isRecord(member) ? member : {}).filter(([name]) => name !== project)
  const entries = entry === undefined ? others : [...others, [project, entry] as const]
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}

/** What is noted of a release, in any spelling of its version. */
export const withoutVersion = (
  versions: NotedYanks['versions'],
  version: string,
): Readonly<Record<string, NotedYank>> =>
  Object.fromEntries(Object.entries(versions).filter(([noted]) => !sameVersion(noted, version)))

const entryOf = (member: unknown, project: string): Record<string, unknown> | undefined => {
  if (!isRecord(member) || !Object.hasOwn(member, project)) return undefined
  const entry = member[project]
  return isRecord(entry) ? entry : undefined
}

const reasonOf = (noted: unknown): string =>
  isRecord(noted) && typeof noted['reason'] === 'string' ? noted['reason'] : ''

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
