import type {DistFile} from '../../packaging/dist-file.js'
import {canonicalVersion} from '../../packaging/versions.js'
import {isSameSummary} from '../rebuild/merge.js'

/**
 * In what a row contradicts the storage: the end of a sentence. What only one of them knows is no contradiction: rows of
 * pypicloud know neither size nor fingerprint, and a bucket keeps no upload time of its files.
 */
export function contradiction(row: DistFile, listed: DistFile): string | undefined {
  if (row.name !== listed.name) return `is of ${row.name} in the cache and of ${listed.name} in the storage`
  if (
    (canonicalVersion(row.version) ?? row.version) !== (canonicalVersion(listed.version) ?? listed.version)
  ) {
    return `has version ${row.version} in the cache and ${listed.version} in the storage`
  }
  if (row.data.path !== undefined && listed.data.path !== undefined && row.data.path !== listed.data.path) {
    return `is listed under the key ${row.data.path}`
  }
  const facts = [
    ['size', row.data.size, listed.data.size],
    ['SHA-256', row.data.hash_sha256?.toLowerCase(), listed.data.hash_sha256?.toLowerCase()],
    ['MD5', row.data.hash_md5?.toLowerCase(), listed.data.hash_md5?.toLowerCase()],
    ['requires-python', row.data.requires_python, listed.data.requires_python],
  ] as const
  const fact = facts.find(([, ours, theirs]) => ours !== undefined && theirs !== undefined && ours !== theirs)
  if (fact) return `has another ${fact[0]} in the cache than in the storage`
  if (row.summary !== null && listed.summary !== null && !isSameSummary(row.summary, listed.summary)) {
    return 'has another summary in the cache than in the storage'
  }
  if (row.data.fingerprint !== undefined && row.data.fingerprint !== listed.data.fingerprint) {
    return 'was written again since it was listed'
  }
  return undefined
}
