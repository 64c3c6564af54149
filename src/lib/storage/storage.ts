import type {FileHandle} from 'node:fs/promises'
import type {Readable} from 'node:stream'
import {PpcError, StorageFailed} from '../errors.js'
import type {Bytes} from './small-body.js'

/** Bytes that can be read more than once, because an upload may be retried. */
export interface Body {
  /** Bytes. */
  readonly size: number
  open(): Readable
  /** As `open`, all at once: of small bodies, whose streams cost more than they do. Not held to `size`. */
  whole?(): Promise<Buffer>
  /** SHA-256, hex, of the bytes that were read last, to their end: where it is counted anyway. */
  sha256?(): string | undefined
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

export interface FetchedObject {
  readonly object: StoredObject
  /** Who does not read a stream to its end destroys it. */
  readonly bytes: Bytes
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
  /**
   * Nobody needs to know how a listing will show it: where that takes a request of its own, time and fingerprint of the
   * result are made up here.
   */
  readonly unlisted?: boolean
  readonly signal?: AbortSignal
}

/** How a directory takes a file over from another one. */
export type LinkKind = 'hard' | 'reflink' | 'symlink'

export interface CopyOptions extends PutOptions {
  /** Between directories. Without it the bytes are copied. */
  readonly link?: LinkKind
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

/** The store has a place for notes, which the credentials do not reach. The message says what would. */
export class NotesOutOfReach extends StorageFailed {}

/** Something in the store that is no distribution file, or can't be read. Reported, counted, never fatal. */
export interface Oddity {
  readonly key: string
  /** One sentence. */
  readonly reason: string
  /** It could not be looked at now, and may be a distribution file. */
  readonly unreadable?: true
}

/** What an interrupted write left behind. No listing shows it as an object. */
export interface Leftover {
  readonly key: string
  readonly modified: Date
  remove(): Promise<void>
}

/** How distribution files map to keys. `tree`: name/version/filename. `hashed`: [hash4/]name/filename. `flat`: name/filename. */
export type Layout = 'tree' | 'hashed' | 'flat'

/**
 * Where the bytes of distribution files live: the truth of the index. Keys are whole, `keyPrefix` included, and in POSIX
 * form; callers have refused '..', a leading '/', NUL and control characters. `openX` connects and checks; constructors
 * do no I/O.
 */
export interface ObjectStore extends AsyncDisposable {
  /** For messages: `s3://bucket/prefix`, `/srv/packages`. */
  readonly name: string
  readonly layout: Layout
  /** What every key of ours begins with, as `storage.prefix` has it: no slash is added. */
  readonly keyPrefix?: string
  /**
   * A local directory on the file system of the store, where an upload is best spooled: moving it then costs nothing.
   * Name files there with `temporaryName()` of file-names.ts: pypicloud's listing would die on others.
   */
  readonly spoolDirectory?: string
  /** The store keeps `modified` of PutOptions. Where it does not, only metadata can tell when a file was published. */
  readonly keepsModified?: boolean
  /**
   * Stores all of `body` with its metadata, durably, or leaves what was there before when it breaks. Returns when it is
   * certain that what is stored are these bytes: the service has told their digest, or they were read again.
   * @throws {ObjectExists} @throws {StorageFailed} when the disk is full or read-only.
   */
  put(key: string, body: Body, options: PutOptions): Promise<StoredObject>
  /**
   * Whether the service keeps to `replace: false` when several write at once. Absent: it does. Where it does not, callers
   * that care hold a lock of the cache.
   */
  decidesPuts?(): Promise<boolean>
  /**
   * As `put`, of an object of another store, without its bytes passing through this process: a copy inside the service, or
   * a link between directories. Where exactly that link is already, nothing is written.
   * @returns undefined where this pair can't: then copy by `open` and `put`. @throws as put, and {ObjectMissing}.
   */
  copyFrom?(
    source: ObjectStore,
    sourceKey: string,
    key: string,
    options: CopyOptions,
  ): Promise<StoredObject | undefined>
  /** @throws {ObjectMissing} here, never in the middle of the stream. */
  open(key: string, range?: ByteRange): Promise<Readable>
  /**
   * `stat` and `open` by one request, where listings tell no metadata.
   * @param size as it was listed: small objects mostly come whole. @throws {ObjectMissing}
   */
  fetch?(key: string, size: number): Promise<FetchedObject>
  /**
   * Where objects are files of this machine: the file, opened for reading, which is sent quicker than a stream. Whoever
   * asked closes it. @throws {ObjectMissing}
   */
  openFile?(key: string): Promise<FileHandle>
  /** @throws {ObjectMissing} */
  stat(key: string): Promise<StoredObject>
  /** Whether `stat` would find it. Absent where that takes as long. */
  has?(key: string): Promise<boolean>
  /**
   * Every object whose key begins with `keyPrefix` and `within`, all pages; never half-written ones, never ours (notes,
   * spool). Order is the store's.
   */
  list(within: string): AsyncIterable<ListedObject | Oddity>
  /** Of what is not there: succeeds. */
  delete(key: string): Promise<void>
  /** Absent where the service cleans up by itself. What is young may be an upload that still runs. */
  leftovers?(): AsyncIterable<Leftover>
  /** @throws when the store can't be used now; the message fits `/health`. */
  check(): Promise<void>
  /** Whether objects of the two can be the same, or one lies within the other (migrate). */
  overlaps?(other: ObjectStore): Promise<boolean>
  /**
   * Whether an object is, by links, the very one that `other` has under `otherKey`, so that neither outlives the deletion
   * of the one that is no link. Absent where there are no links.
   */
  isOneWith?(key: string, other: ObjectStore, otherKey: string): Promise<boolean>
  /** Absent where clients can't be sent to the service. */
  readonly links?: StorageLinks
  /** What an operator should know when a server starts, and is no failure: one sentence each. */
  readonly notices?: readonly string[]
  /**
   * One small text of ours that listings, ours and pypicloud's, never show: durable facts that no rebuild can derive
   * (seals, yanks). Absent where the store has no safe place.
   */
  readonly notes?: DurableText
}

/** Links by which clients fetch objects from the service itself. */
export interface StorageLinks {
  /** Pages link to the service (`storage.redirect_urls = false`) instead of to this server, which redirects. */
  readonly inPages: boolean
  /** `storage.expire_after`, where the config sets it. */
  readonly expireAfterSeconds?: number
  /** Needs no credentials for `seconds`; unsigned where everybody may read. Computed here or cached: cheap. */
  urlOf(key: string, seconds: number): Promise<URL>
}

/** All throw {NotesOutOfReach} where the credentials are for the packages only. */
export interface DurableText {
  /** `version` is opaque. Undefined when nothing was ever written. Cheap enough for once a second. */
  read(): Promise<{readonly text: string; readonly version: string} | undefined>
  /** Writes if the version is still `expected` (undefined: nothing there). @returns false when somebody else was first. */
  write(text: string, expected: string | undefined): Promise<boolean>
  /** Another text, kept as this one is. @param name lower-case letters, digits and hyphens. */
  beside?(name: string): RemovableText
}

export interface RemovableText extends DurableText {
  /** Of what is not there: succeeds. */
  remove(): Promise<void>
}

export const isOddity = (entry: object): entry is Oddity => 'reason' in entry
