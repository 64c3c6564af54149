import type {DistFile, ProjectSummary} from '../packaging/dist-file.js'

/** Under which lock a batch is written: the write happens in one step with the check that the lock is still ours. */
export interface WriteOptions {
  readonly lock?: Lock
}
export interface SaveOptions extends WriteOptions {
  /**
   * What was seen of each file before: only those are saved whose row still is that, or still is missing where there
   * is nothing here. So that slow work never overwrites what somebody else saved in the meantime.
   */
  readonly seen?: ReadonlyMap<string, DistFile>
}

/** A lock in the cache itself, kept alive by a heartbeat until it is released. */
export interface Lock extends AsyncDisposable {
  readonly name: string
  readonly token: string
  /** Aborted when the lock was lost: stop at once. */
  readonly signal: AbortSignal
}
export interface LockOptions {
  /** Host, process id and command, for the message of those who come second. */
  readonly owner: string
  /** After how many seconds without a heartbeat others may take it. Default 60, at most 120. By the cache server's clock. */
  readonly expireAfterSeconds?: number
}
/** Seconds. What would expire later was written before the server's clock was put back: its holder may be long dead. */
export const longestExpiry = 120
/** Seconds without a heartbeat after which such a lock is anybody's. */
export const expiryOf = ({expireAfterSeconds = 60}: LockOptions): number =>
  Math.min(expireAfterSeconds, longestExpiry)

export type SearchOperator = 'and' | 'or'
export interface SearchCriteria {
  readonly name?: readonly string[]
  readonly summary?: readonly string[]
}

/**
 * The queryable list of distribution files: always rebuildable from the storage, and in the tables and keys of
 * pypicloud, which may work on the same database at the same time.
 */
export interface Cache extends AsyncDisposable {
  /** For messages, without credentials: `sqlite:/srv/db.sqlite`. */
  readonly name: string
  /** False when no other process can see it (a database in memory): then several workers are refused. */
  readonly shared?: boolean
  findFile(filename: string): Promise<DistFile | undefined>
  /** Those that are there, by file name. */
  findFiles(filenames: readonly string[]): Promise<Map<string, DistFile>>
  /** Of one project (normalised name), in no order. A consistent read: "is it ours?" is decided by it. */
  listFiles(project: string): Promise<readonly DistFile[]>
  /** Normalised names, by code point. */
  listProjects(): Promise<string[]>
  /** pypicloud's `?verbose`: for each project the newest `last_modified` and that file's summary, by name. */
  listSummaries(): Promise<ProjectSummary[]>
  /** Everything, by file name (code points), in bounded memory. */
  listAllFiles(): AsyncIterable<DistFile>
  /** The names of all files, in no order: far less work than the files, where a cache has it. */
  listFilenames?(): AsyncIterable<string>
  countFiles(): Promise<number>
  /** Inserts or replaces, all or nothing. @returns the files that were written. @throws {LockLost} */
  save(files: readonly DistFile[], options?: SaveOptions): Promise<DistFile[]>
  /**
   * Removes rows, all or nothing. With `ifUnchanged`, only those that still are what was seen (fingerprint, time).
   * @returns the rows that went, and the projects that have no file left because of it.
   */
  remove(
    files: readonly DistFile[],
    options?: WriteOptions & {readonly ifUnchanged?: boolean},
  ): Promise<{removed: DistFile[]; emptied: string[]}>
  /**
   * The newest matching file of each project whose name or summary contains one of the texts, case-insensitive and
   * literal (no wildcards). `and`/`or` joins the texts of a field and the fields; a missing field matches nothing
   * under `or` and everything under `and`. Without any criteria: every project.
   */
  search(criteria: SearchCriteria, operator: SearchOperator): Promise<DistFile[]>
  /**
   * A text that differs whenever what the index shows of `project` (or, without it, of anything) may have changed,
   * by whomever: another worker, another host, pypicloud. Cheap: called on every request. On one host at once,
   * elsewhere within a second. What `listFiles` and `listProjects` give after it may be kept under it: where that is not
   * what it stands for, it is never given again, whatever comes back.
   */
  changeToken(project?: string): string | Promise<string>
  /** @throws {LockHeld} naming the holder and the age of its lock. */
  acquireLock(name: string, options: LockOptions): Promise<Lock>
  /** Facts of ours that live and die with the cache: the "complete" mark of the last whole rebuild. */
  getState(key: string): Promise<string | undefined>
  setState(key: string, value: string | undefined, options?: WriteOptions): Promise<void>
  /**
   * Whether a fact of this key was set in what is there now, also if it is about other rows, or, without a key, whether
   * any ever was. Absent where nothing is lost without the tables. False once the cache is known to have known it:
   * everything was dropped.
   */
  remembers?(key?: string): Promise<boolean>
  /** @throws when it can't be used now; the message fits `/health`. */
  check(): Promise<void>
}

/** State key: RFC 3339 time of the end of the last whole rebuild. Without it an unknown name is not known to be foreign. */
export const completeMark = 'complete'

/** State key: since when an empty cache is being filled, so that what it lists is only a part. Gone when a rebuild has ended. */
export const fillingMark = 'filling'

/** Whether a row still is what was seen of it: nobody has written it since. */
export const sameRow = (a: DistFile, b: DistFile): boolean =>
  a.lastModified.getTime() === b.lastModified.getTime() &&
  a.name === b.name &&
  a.version === b.version &&
  a.data.fingerprint === b.data.fingerprint &&
  a.data.hash_sha256 === b.data.hash_sha256
