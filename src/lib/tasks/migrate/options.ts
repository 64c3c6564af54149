import type {Cache} from '../../cache/cache.js'
import type {LinkKind} from '../../storage/storage.js'
import type {MigrateReport} from './report.js'

/**
 * What happens to a file whose name the target has with other bytes. `skip`: it is kept, and reported as failed.
 * `newer`: the one that was published later wins. `overwrite`: the source's wins. `mirror`: too, and what the source
 * lacks is removed from the target. `fail`: nothing at all is copied.
 */
export const strategies = ['skip', 'newer', 'overwrite', 'mirror', 'fail'] as const
export type Strategy = (typeof strategies)[number]

export interface MigrateOptions {
  readonly strategy?: Strategy
  /** Projects, in any spelling. Default: all. */
  readonly only?: readonly string[]
  /** Files that were published then or later. */
  readonly since?: Date
  /** Says what would be done, and changes nothing. */
  readonly dryRun?: boolean
  /** Changes nothing, and compares the bytes of every file at both ends. */
  readonly verifyOnly?: boolean
  /** Afterwards removes from the source what is verified at the target. */
  readonly deleteSource?: boolean
  /** Between directories: links instead of copies, where the file system can. */
  readonly link?: LinkKind
  /** All transfers together. */
  readonly bytesPerSecond?: number
  /** Files at once. */
  readonly concurrency?: number
  /** The target's: gets a row of every file. */
  readonly cache?: Cache
  /** For those who find the target locked: command, host and process. */
  readonly owner?: string
  /** Asked once, before anything was copied. Without it everything is removed that may be. */
  readonly confirmRemoval?: (removal: PlannedRemoval) => Promise<boolean>
  readonly signal?: AbortSignal
  /** Told what was done until `signal` ended the run, before that is thrown. */
  readonly onInterrupted?: (report: MigrateReport) => Promise<void>
  readonly onProgress?: (progress: MigrateProgress) => void
  /** After each file of the source. */
  readonly onFile?: (event: {readonly filename: string; readonly outcome: Outcome}) => void
}

/** What is to be removed, from the end that `place` names. */
export interface PlannedRemoval {
  readonly place: string
  readonly files: number
  /** Of so many. */
  readonly of: number
  /** The first names. */
  readonly examples: readonly string[]
  /** So many that it may be a mistake. */
  readonly isLarge: boolean
}

export interface MigrateProgress {
  readonly phase: 'listing' | 'copying' | 'removing'
  /** Files. */
  readonly done: number
  readonly total?: number
  /** Copied so far, or compared when verifying. */
  readonly bytes: number
}

/** `same`: the target had it. `kept`: the target has a newer one. `gone`: it was removed from the source meanwhile. */
export type Outcome = 'copied' | 'replaced' | 'same' | 'kept' | 'failed' | 'odd' | 'gone' | 'unselected'
