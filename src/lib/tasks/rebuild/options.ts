import type {Cache} from '../../cache/cache.js'
import type {DistFile} from '../../packaging/dist-file.js'
import type {PackageStorage} from '../../storage/package-storage.js'
import type {Oddity} from '../../storage/storage.js'

/** After so long without a heartbeat the lock of a run that was killed is free. */
export const lockExpiresAfterSeconds = 20

export interface RebuildParts {
  readonly storage: PackageStorage
  readonly cache: Cache
}

export interface RebuildOptions {
  /** For those who come second: host, process and command. */
  readonly owner: string
  /**
   * Reads the metadata of every object, and compares rows member by member. Otherwise an object whose fingerprint a row
   * has is taken for what the row says: in stores whose listing tells no metadata that is one request less for each.
   */
  readonly full?: boolean
  /** Of these alone (normalised names). Whether the cache is complete stays as it is. */
  readonly projects?: ReadonlySet<string>
  /** Requests for metadata at the same time. Default 64. */
  readonly concurrency?: number
  /** Of its lock. Default: `lockExpiresAfterSeconds`. */
  readonly expireAfterSeconds?: number
  /** Writes nothing, and reports what would be written. */
  readonly dryRun?: boolean
  /** Empties the cache when not one object is found, however many files it has. */
  readonly allowEmpty?: boolean
  readonly signal?: AbortSignal
  /** After every object that was asked about, and by the hundred where nothing had to be asked: often. */
  readonly onProgress?: (progress: RebuildProgress) => void
  /** Each file that differs, when it is written or removed. */
  readonly onChange?: (kind: 'added' | 'updated' | 'removed', file: DistFile) => void
}

export interface RebuildProgress {
  /** Files listed so far, with their metadata. */
  readonly listed: number
  readonly changed: number
  /** Rows looked through for files that are gone: after the listing. */
  readonly checked: number
  /** Files that the last whole run listed: about what this one has to. */
  readonly expected?: number | undefined
}

export interface RebuildReport {
  readonly mode: 'full' | 'incremental'
  readonly dryRun: boolean
  readonly added: number
  readonly updated: number
  readonly removed: number
  readonly unchanged: number
  /** Objects and directories that the storage does not let us look at: rows that they have stay. */
  readonly unread: number
  /** Whether the cache is known to have every file of the storage. */
  readonly complete: boolean
  /** Names that lost their last file: they are not fetched from upstream. */
  readonly sealed: readonly string[]
  /** What in the storage could not be looked at, is no distribution file, or was left alone: the first thousand. */
  readonly oddities: readonly Oddity[]
  readonly oddityCount: number
  readonly seconds: number
}
