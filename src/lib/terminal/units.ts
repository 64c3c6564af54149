import {UsageError} from '../errors.js'

const byteUnits: Readonly<Record<string, number>> = {
  ...{'': 1, b: 1, k: 1e3, kb: 1e3, m: 1e6, mb: 1e6, g: 1e9, gb: 1e9},
  ...{kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3},
}
const ageUnits: Readonly<Record<string, number>> = {s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5}

/** `10MB/s`, `500k`, `1.5 MiB/s`: bytes a second. @throws {UsageError} */
export function parseRate(option: string, text: string): number {
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)(?:\/s|ps)?$/i.exec(text.trim()) ?? []
  const bytes = Number(amount) * (byteUnits[unit.toLowerCase()] ?? Number.NaN)
  if (bytes > 0 && Number.isFinite(bytes)) return bytes
  throw new UsageError(`${option}: expected bytes a second like 10MB/s, found "${text}"`)
}

/** A date (its beginning, UTC), an RFC 3339 time, or an age: `90m`, `12h`, `7d`, `2w`. @throws {UsageError} */
export function parseSince(option: string, text: string, now = new Date()): Date {
  const trimmed = text.trim()
  const [, amount, unit] = /^(\d+(?:\.\d+)?)([smhdw])$/i.exec(trimmed) ?? []
  if (amount !== undefined)
    return new Date(now.getTime() - Number(amount) * (ageUnits[unit?.toLowerCase() ?? ''] ?? 0))
  const isTime = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?$/i.test(trimmed)
  const hasZone = /(?:Z|[+-]\d\d:?\d\d)$/i.test(trimmed.slice(10))
  const time = new Date(trimmed.replace(' ', 'T') + (trimmed.length > 10 && !hasZone ? 'Z' : ''))
  if (isTime && !Number.isNaN(time.getTime())) return time
  throw new UsageError(
    `${option}: expected a date, a time like 2026-11-20T18:00:00Z or an age like 7d, found "${text}"`,
  )
}
