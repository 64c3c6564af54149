/**
 * One wheel, sdist, egg … as storage and cache describe it: what pypicloud calls a package.
 * `filename` is the key everywhere, over all projects.
 */
export interface DistFile {
  readonly filename: string
  /** Normalised, PEP 503. */
  readonly name: string
  /** As uploaded, not canonicalised. */
  readonly version: string
  /** UTC. */
  readonly lastModified: Date
  readonly summary: string | null
  readonly data: DistFileData
}

/**
 * Everything else that is known of a file. pypicloud carries unknown members along, so what we derive goes here too.
 * Falsy members are left out. Values are text or numbers, because DynamoDB and Redis hold them as such.
 */
export interface DistFileData {
  readonly requires_python?: string
  /** Hex. */
  readonly hash_sha256?: string
  readonly hash_md5?: string
  readonly uploader?: string
  /** Object stores: the full key, which wins over the computed one. */
  readonly path?: string
  /** Ours: bytes. */
  readonly size?: number
  /** Ours: RFC 3339 UTC, `2026-11-20T23:09:52.673762Z`. When the file was first published, PEP 700. */
  readonly upload_time?: string
  /** Ours: hex digest of METADATA, of wheels out of which it was read (PEP 658). */
  readonly core_metadata_sha256?: string
  /** Ours: the name under which the storage keeps what attests the file (PEP 740). */
  readonly attestations?: string
  /** Ours: when something was noted about the project beside its files. Only of rows. */
  readonly noted?: string
  /** Ours: opaque; changes when the object or its metadata does. Compared by rebuilds. */
  readonly fingerprint?: string
  readonly [key: string]: string | number | undefined
}

/** RULES 4: a file that was only cached from upstream is public. One of unknown origin counts as published here. */
export const isUploaded = ({data}: DistFile): boolean => data['origin'] !== 'upstream'

/** In bytes. Undefined in rows of pypicloud. */
export const sizeOf = ({data}: DistFile): number | undefined =>
  typeof data.size === 'number' && Number.isSafeInteger(data.size) && data.size >= 0 ? data.size : undefined

/** As recorded at upload, or else when the stored file was written, which for pypicloud's files is the same. */
export const uploadTimeOf = ({data, lastModified}: DistFile): string =>
  data.upload_time !== undefined && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z$/.test(data.upload_time)
    ? data.upload_time
    : lastModified.toISOString().replace('Z', '000Z')

/** pypicloud's "verbose" view of a project. */
export interface ProjectSummary {
  readonly name: string
  readonly summary: string | null
  readonly lastModified: Date
}
