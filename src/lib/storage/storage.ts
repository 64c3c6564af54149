import type {Readable} from 'node:stream'
import {PpcError} from '../errors.js'

/** Bytes that can be read more than once, because an upload may be retried. */
export interface Body {
  /** Bytes. */
  readonly size: number
  open(): Readable
  /** A local file that holds exactly these bytes and that the store may move away instead of copying. */
  readonly disposablePath?: string
}

/** User metadata of an object: names as pypicloud writes them (`requires_python`, `hash_sha256` …), values raw text. */
export type ObjectMetadata = Readonly<Record<string, string>>

export interface ListedObject {
  readonly key: string
  /** Bytes. */
  readonly size: number
  readonly modified: Date
  /** Opaque text that differs whenever the bytes or the metadata were written again. */
  readonly fingerprint: string
  /** Absent where a listing does not tell: ask `stat`. */
  readonly metadata?: ObjectMetadata
}
export interface StoredObject extends ListedObject {
  readonly metadata: ObjectMetadata
}

/** Inclusive offsets, as in HTTP: `{start: 0, end: 9}` is ten bytes. */
export interface ByteRange {
  readonly start: number
  readonly end: number
}

export interface PutOptions {
  readonly metadata?: ObjectMetadata
  /** With false, an object that is there already stays and `put` throws ObjectExists. Decided by the store itself. */
  readonly replace: boolean
  /** Where the store can keep it, the time that the object gets instead of now (migrate). */
  readonly modified?: Date
  readonly signal?: AbortSignal
}

/** There is no object under that key. */
export class ObjectMissing extends PpcError {
  readonly code = 'PPC_OBJECT_MISSING'
  override readonly statusCode = 404
}
/** `put` with `replace: false` found an object. */
export class ObjectExists extends PpcError {
  readonly code = 'PPC_OBJECT_EXISTS'
  override readonly statusCode = 409
}

/** Something in the store that is no distribution file, or can't be read. Reported, counted, never fatal. */
export interface Oddity {
  readonly key: string
  /** One sentence. */
  readonly reason: string
}

/** How distribution files map to keys. `tree`: name/version/filename. `hashed`: [hash4/]name/filename. `flat`: name/filename. */
export type Layout = 'tree' | 'hashed' | 'flat'

/**
 * Where the bytes of distribution files live: the truth of the index. Keys are relative, in POSIX form; callers have
 * refused '..', a leading '/', NUL and control characters. `openX` connects and checks; constructors do no I/O.
 */
export interface ObjectStore extends AsyncDisposable {
  /** For messages: `s3://bucket/prefix`, `/srv/packages`. */
  readonly name: string
  readonly layout: Layout
  /**
   * A local directory on the file system of the store, where an upload is best spooled: moving it then costs nothing.
   * Name files there with `temporaryName()` of file-names.ts: pypicloud's listing would die on others.
   */
  readonly spoolDirectory?: string
  /**
   * Stores all of `body` with its metadata, durably, or leaves what was there before when it breaks.
   * @throws {ObjectExists} @throws {StorageFailed} when the disk is full or read-only.
   */
  put(key: string, body: Body, options: PutOptions): Promise<StoredObject>
  /** @throws {ObjectMissing} here, never in the middle of the stream. */
  open(key: string, range?: ByteRange): Promise<Readable>
  /** @throws {ObjectMissing} */
  stat(key: string): Promise<StoredObject>
  /** Every object under `prefix`, all pages; never half-written ones, never ours (notes, spool). Order is the store's. */
  list(prefix: string): AsyncIterable<ListedObject | Oddity>
  /** Of what is not there: succeeds. */
  delete(key: string): Promise<void>
  /** @throws when the store can't be used now; the message fits `/health`. */
  check(): Promise<void>
  /** Whether objects of the two can be the same, or one lies within the other (migrate). */
  overlaps?(other: ObjectStore): Promise<boolean>
  /** A link that needs no credentials for `seconds`. Absent where the service has none. */
  signUrl?(key: string, seconds: number): Promise<URL>
  /**
   * One small text of ours that listings, ours and pypicloud's, never show: durable facts that no rebuild can derive
   * (seals, yanks). Absent where the store has no safe place.
   */
  readonly notes?: DurableText
}

export interface DurableText {
  /** `version` is opaque. Undefined when nothing was ever written. Cheap enough for once a second. */
  read(): Promise<{readonly text: string; readonly version: string} | undefined>
  /** Writes if the version is still `expected` (undefined: nothing there). @returns false when somebody else was first. */
  write(text: string, expected: string | undefined): Promise<boolean>
}

export const isOddity = (entry: object): entry is Oddity => 'reason' in entry
