import {Conflict} from '../../errors.js'
import type {DistFile} from '../../packaging/dist-file.js'
import type {Difference} from './compare.js'
import type {Strategy} from './options.js'
import {recordedTime} from './times.js'

/** Without looking at times. */
export const replacesAll = (strategy: Strategy): boolean => strategy === 'overwrite' || strategy === 'mirror'

/**
 * What is done about a file of which the target has other bytes. `newer` goes by recorded times of publication only:
 * an object's own time is that of its last copy.
 * @throws {Conflict} when it is kept although nobody knows which is right.
 */
export function decide(
  strategy: Strategy,
  source: DistFile,
  target: DistFile,
  difference: NonNullable<Difference>,
): 'replace' | 'keep' {
  if (replacesAll(strategy)) return 'replace'
  if (strategy !== 'newer') throw new Conflict(`${sentence(source, target, difference)}; it was kept`)
  const [one, other] = [recordedTime(source.data.upload_time), recordedTime(target.data.upload_time)]
  if (one && other) return one > other ? 'replace' : 'keep'
  const where = one ? 'there' : other ? 'in the source' : 'at either end'
  throw new Conflict(
    `${sentence(source, target, difference)}, and no upload time is recorded ${where} that tells which is newer; it was kept`,
  )
}

function sentence(source: DistFile, target: DistFile, difference: NonNullable<Difference>): string {
  return difference === 'size'
    ? `the target has another file of that name, of ${target.data.size ?? 0} instead of ${source.data.size ?? 0} bytes`
    : 'the target has another file of that name and size, with another SHA-256'
}
