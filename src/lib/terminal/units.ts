import {UsageError} from '../errors.js'

const byteUnits: Readonly<Record<string, number>> = {
  ...{'': 1, b: 1, k: 1e3, kb: 1e3, m: 1e6, mb: 1e6, g: 1e9, gb: 1e9},
  ...{kib: 1024, mib: 1024 ** 2, gib: 1024 ** 3},
}
const ageUnits: Readonly<Record<string, number>> = {s: 1e3, m: 6e4, h: 36e5, d: 864e5, w: 6048e5}

/** `10MB/s`, `500k`, `1.5 MiB/s`: bytes a second. @throws {UsageError} */
export function parseRate(option: string, text: string): number {
  const [, amount = '', unit = ''] = /^(\d+(?:\.\d+)?)\s*([a-z]*)(?:\/s)?$/i.exec(text.trim()) ?? []
  const bytes = Number(amount) * (byteUnits[unit.toLowerCase()] ?? Number.NaN)
  if (bytes > 0 && Number.isFinite(bytes)) return bytes
  throw new UsageError(`${option}: expected bytes a second like 10MB/s, found "${text}"`)
}

/**
 * A date (its beginning, UTC), an RFC 3339 time, or an age: `90m`, `12h`, `7d`, `2w`, in lower case, since `1M` could
 * mean a month.
 * @throws {UsageError}
 */
export function parseSince(option: string, text: string, now = new Date()): Date {
  const time = agoOf(text.trim(), now) ?? timeOf(text.trim())
  if (time !== undefined && !Number.isNaN(time.getTime())) return time
  throw new UsageError(
    `${option}: expected a date, a time like 2026-11-20T18:00:00Z or an age like 7d, found "${text}"`,
  )
}

function agoOf(text: string, now: Date): Date | undefined {
  const [, amount, unit = ''] = /^(\d+(?:\.\d+)?)([smhdw])$/.exec(text) ?? []
  return amount === undefined ? undefined : new Date(now.getTime() - Number(amount) * (ageUnits[unit] ?? 0))
}

function timeOf(text: string): Date | undefined {
  const [, day, time, zone = 'Z'] =
    /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)(Z|[+-]\d\d:?\d\d)?)?$/i.exec(text) ?? []
  if (day === undefined || !isDay(day)) return undefined
  return new Date(`${day}T${time ?? '00:00'}${zone}`)
}

/** JavaScript takes the 30th of February for the 2nd of March. */
function isDay(text: string): boolean {
  const day = new Date(text)
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(text)
}
