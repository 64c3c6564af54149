import {formatJson, quote} from '../../python-json.js'
import type {DistFile, DistFileData} from '../../packaging/dist-file.js'
import type {Dialect} from '../../sql/dialect.js'

/** A row of pypicloud's table `packages`. */
export interface Row {
  readonly filename: string
  readonly name: string
  readonly version: string
  /** UTC, `2026-11-20 23:09:52.673762`. */
  readonly last_modified: string
  readonly summary: string | null
  /** A JSON object. */
  readonly data: string
}

/** Tolerates what others may have left: a date without a time zone, `data` that is no JSON object. */
export const fileOfRow = (row: Row): DistFile => ({
  filename: row.filename,
  name: row.name,
  version: row.version,
  lastModified: parseTime(row.last_modified),
  summary: row.summary === '' ? null : row.summary,
  data: parseData(row.data),
})

export const rowOfFile = (file: DistFile, dialect: Pick<Dialect, 'name'>): Row => ({
  filename: file.filename,
  name: file.name,
  version: file.version,
  last_modified: dialect.name === 'mysql' ? wholeSeconds(file.lastModified) : formatTime(file.lastModified),
  summary: formatSummary(file.summary, dialect),
  data: formatData(file.data),
})

/** As SQLAlchemy writes a DATETIME on SQLite. A Date has no microseconds: what follows the milliseconds is 000. */
export const formatTime = (time: Date): string => time.toISOString().replace('T', ' ').replace('Z', '000')

/** A DATETIME of MySQL has no fraction, and some servers would round it up. */
const wholeSeconds = (time: Date): string => formatTime(time).slice(0, 'YYYY-MM-DD HH:MM:SS'.length)

/** PostgreSQL has no text with a NUL in it. */
const formatSummary = (summary: string | null, {name}: Pick<Dialect, 'name'>): string | null =>
  (name === 'postgresql' ? summary?.replaceAll('\0', '') : summary) || null

const timeForm = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d)(:\d\d)?(\.\d{1,3})?/

export function parseTime(text: string): Date {
  // as SQLAlchemy and we write it; there may be ten thousand for one page
  if (text.length === 26 && text[10] === ' ') {
    const quick = new Date(`${text.slice(0, 10)}T${text.slice(11, 23)}Z`)
    if (!Number.isNaN(quick.getTime())) return quick
  }
  const [, date, minutes, seconds = ':00', fraction = '.0'] = timeForm.exec(text) ?? []
  const time = new Date(`${date}T${minutes}${seconds}${fraction}Z`)
  return Number.isNaN(time.getTime()) ? new Date(0) : time
}

function parseData(text: string): DistFileData {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as DistFileData) : {}
  } catch {
    return {}
  }
}

/** As Python's `json.dumps` writes it, without falsy members, as pypicloud leaves them out. */
export function formatData(data: DistFileData): string {
  let members = ''
  for (const key in data) {
    const value = data[key]
    if (value) members += `${members && ', '}${quote(key)}: ${formatJson(value, undefined)}`
  }
  return `{${members}}`
}
