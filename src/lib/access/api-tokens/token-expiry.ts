import {InvalidInput} from '../../errors.js'
import {quote} from '../names.js'
import {formatTime} from './api-token.js'

/** What a token gets when nobody says how long it is to live. */
export const defaultExpiry = '365d'

const hoursOf: Readonly<Record<string, number>> = {h: 1, d: 24, w: 7 * 24}

/**
 * When a token expires: `90d`, `12h`, `2w`; `2027-01-31`, which it still works on, in UTC; `2027-01-31T12:00:00Z`; `never`.
 * @param now milliseconds since 1970
 * @returns null for never
 * @throws {InvalidInput} also for a time that is past
 */
export function parseExpiry(text: string, now: number): string | null {
  if (text === 'never') return null
  const time = timeOf(text, now)
  if (Number.isNaN(time) || time > latest) {
    throw new InvalidInput(
      `found ${quote(text)} for when the token expires, expected a time from now such as 90d or 12h, a date such as ` +
        `2027-01-31, or never`,
    )
  }
  if (time <= now) throw new InvalidInput(`the token would have expired already: ${quote(text)} is past`)
  return formatTime(new Date(time))
}

const latest = Date.UTC(9999, 0)

function timeOf(text: string, now: number): number {
  const [, count, unit = ''] = /^(\d{1,6})([hdw])$/.exec(text) ?? []
  if (count !== undefined) return now + Number(count) * (hoursOf[unit] ?? NaN) * 3_600_000
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return dateOf(text, '00:00:00') + 24 * 3_600_000
  const [, date, time = ''] = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)Z$/.exec(text) ?? []
  return date === undefined ? NaN : dateOf(date, time)
}

/** NaN for the 31st of February, which `Date` would take for the 3rd of March. */
function dateOf(date: string, time: string): number {
  const parsed = Date.parse(`${date}T${time}Z`)
  return !Number.isNaN(parsed) && new Date(parsed).toISOString().startsWith(date) ? parsed : NaN
}
