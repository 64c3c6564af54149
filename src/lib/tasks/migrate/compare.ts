import type {DistFile} from '../../packaging/dist-file.js'
import {digestOf, type Ends} from './ends.js'
import {isSameTime, publishedAt} from './times.js'

/** Undefined: they have the same bytes. Else in what they differ. */
export type Difference = 'size' | 'SHA-256' | undefined

/**
 * By what is recorded, as far as it goes: size, then digests; of files that pypicloud published before it recorded
 * any, the time. Only what is left is read.
 */
export async function findDifference(ends: Ends, source: DistFile, target: DistFile): Promise<Difference> {
  if (source.data.size !== target.data.size) return 'size'
  const [one, other] = [source.data.hash_sha256?.toLowerCase(), target.data.hash_sha256?.toLowerCase()]
  if (one === undefined || other === undefined) {
    if (isSameTime(publishedAt(source), publishedAt(target))) return undefined
  }
  const digests = await Promise.all([
    one ?? digestOf(ends, ends.source, source).then(({sha256}) => sha256),
    other ?? digestOf(ends, ends.target, target).then(({sha256}) => sha256),
  ])
  return digests[0] === digests[1] ? undefined : 'SHA-256'
}

/** Reads both. @returns what is wrong, as a sentence; undefined when all digests, the recorded ones too, agree. */
export async function findDamage(
  ends: Ends,
  source: DistFile,
  target: DistFile,
): Promise<string | undefined> {
  const [one, other] = await Promise.all([
    digestOf(ends, ends.source, source),
    digestOf(ends, ends.target, target),
  ])
  const recorded = source.data.hash_sha256?.toLowerCase()
  if (one.sha256 !== other.sha256) {
    if (recorded !== undefined && other.sha256 === recorded)
      return 'the source is damaged, the target is as recorded'
    if (recorded !== undefined && one.sha256 === recorded)
      return `the target is damaged or another file: ${differs(one, other)}`
    return `the target has other bytes: ${differs(one, other)}`
  }
  if (recorded !== undefined && one.sha256 !== recorded)
    return 'both ends have the same bytes, but not those of the recorded SHA-256'
  return undefined
}

type Read = Awaited<ReturnType<typeof digestOf>>
const differs = (one: Read, other: Read): string =>
  one.size === other.size ? 'their SHA-256 differ' : `${other.size} instead of ${one.size} bytes`
