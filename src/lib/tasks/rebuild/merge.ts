import type {DistFile, DistFileData} from '../../packaging/dist-file.js'

/** What a rebuild does about one listed file. */
export type Step =
  {readonly kind: 'unchanged'} | {readonly kind: 'added' | 'updated'; readonly file: DistFile}

/**
 * What the cache should hold of a `listed` file whose row is `row`. The object is the truth; a row adds what no listing
 * tells: the Unicode of a summary that a bucket keeps as ASCII, when the file was published, facts of other programs.
 * @param thorough compares every member, also where the row says that it is about this object.
 */
export function reconcile(row: DistFile | undefined, listed: DistFile, thorough = false): Step {
  if (!row) return {kind: 'added', file: {...listed, lastModified: publishedAt(listed)}}
  const sameFile =
    row.name === listed.name && row.version === listed.version && row.data.path === listed.data.path
  if (row.data.fingerprint === undefined) {
    return {kind: 'updated', file: sameBytes(row, listed) ? completed(row, listed) : replaced(row, listed)}
  }
  const sameObject = row.data.fingerprint === listed.data.fingerprint
  if (sameObject && sameFile && (row.data.size ?? 0) === (listed.data.size ?? 0)) {
    const file = thorough ? {...completed(row, listed), lastModified: timeOf(row, listed)} : row
    return row === file || hasSameMembers(row, file) ? {kind: 'unchanged'} : {kind: 'updated', file}
  }
  return {kind: 'updated', file: sameObject ? completed(row, listed) : replaced(row, listed)}
}

/** The recorded time of publication, else the object's own. */
export function publishedAt(listed: DistFile): Date {
  const recorded = new Date(listed.data.upload_time ?? Number.NaN)
  return Number.isNaN(recorded.getTime()) ? listed.lastModified : recorded
}

/** The recorded time, where there is one. */
const timeOf = (row: DistFile, listed: DistFile): Date =>
  listed.data.upload_time === undefined ? row.lastModified : publishedAt(listed)

/** Whether two rows say the same of a file. Times count to the second, since some databases keep no more. */
export function hasSameMembers(row: DistFile, file: DistFile): boolean {
  const members = new Set([...Object.keys(row.data), ...Object.keys(file.data)])
  return (
    row.name === file.name &&
    row.version === file.version &&
    Math.abs(row.lastModified.getTime() - file.lastModified.getTime()) < 1000 &&
    (row.summary ?? '') === (file.summary ?? '') &&
    [...members].every(key => String(row.data[key] ?? '') === String(file.data[key] ?? ''))
  )
}

/** A row that was taken over has no fingerprint: without a digest that says otherwise, it is about this object. */
function sameBytes(row: DistFile, listed: DistFile): boolean {
  const [before, now] = [row.data.hash_sha256, listed.data.hash_sha256]
  return before === undefined || now === undefined || before.toLowerCase() === now.toLowerCase()
}

const completed = (row: DistFile, listed: DistFile): DistFile => ({
  ...listed,
  lastModified: row.lastModified,
  summary: fuller(row.summary, listed.summary),
  data: withoutPath(row.data, listed.data),
})

/** Written again: nothing derived from the old bytes may stay. The same bytes keep their time. */
export const replaced = (row: DistFile, listed: DistFile): DistFile => {
  const digest = listed.data.hash_sha256
  const keepsTime =
    digest !== undefined && digest === row.data.hash_sha256 && listed.data.upload_time === undefined
  return {...listed, lastModified: keepsTime ? row.lastModified : publishedAt(listed)}
}

/** The key is the listing's, which leaves it out where it is the usual one. */
const withoutPath = (row: DistFileData, listed: DistFileData): DistFileData => ({
  ...Object.fromEntries(Object.entries(row).filter(([key]) => key !== 'path')),
  ...listed,
})

/** A summary that a store had to fold to ASCII is kept as the row has it. */
function fuller(row: string | null, listed: string | null): string | null {
  if (row === null || listed === null) return row ?? listed
  return isSameSummary(row, listed) ? row : listed
}

/** Whether they differ at most in what a bucket can't keep. */
export const isSameSummary = (a: string, b: string): boolean => folded(a) === folded(b)

/** As pypicloud stores texts in S3 (COMPAT §3.2). */
const folded = (text: string): string =>
  text
    .normalize('NFKD')
    .replace(/[^\u0000-\u007f]/g, '')
    .replace(/\s+/g, ' ')
    .trim()
