import {formatJson} from '../../python-json.js'
import type {DistFile, DistFileData} from '../../packaging/dist-file.js'
import {witnessField} from './keys.js'

/** The fields of a hash. Nothing in it is certain: other programs write there too. */
export type Hash = Readonly<Record<string, string>>

/** What was read of a file's hash. */
export interface RedisRow {
  readonly file: DistFile
  /** Equal texts mean that the file's row was not written in between, as `sameRow` decides it. */
  readonly signature: string
}

/** The fields of which a signature is made, as they are stored, joined by NUL. Scripts make them the same way. */
export const signatureFields = ['name', 'version', 'last_modified', 'fingerprint', 'hash_sha256'] as const
/** The signature of a row that is not there. */
export const noRow = ''

const columns = new Set(['name', 'version', 'filename', 'last_modified', 'summary', witnessField])

/** @returns undefined for what can't be a row, since it doesn't say of which project it is. */
export function rowOfHash(filename: string, hash: Hash): RedisRow | undefined {
  const {name, version = '', last_modified: lastModified = '', summary = ''} = hash
  if (name === undefined) return undefined
  return {
    file: {
      filename,
      name,
      version,
      lastModified: parseSeconds(lastModified),
      summary: textOrNull(summary),
      data: dataOf(hash),
    },
    signature: signatureFields.map(field => hash[field] ?? '').join('\0'),
  }
}

/** Up to pypicloud 1.0.13 a missing summary became Python's text for it. */
export const textOrNull = (summary: string): string | null =>
  summary === '' || summary === 'None' ? null : summary

/** All other fields hold JSON texts. What is none, or is falsy, is left out. */
function dataOf(hash: Hash): DistFileData {
  const members = Object.entries(hash).flatMap(([key, text]) => {
    if (columns.has(key)) return []
    const value = parseJson(text)
    return value ? [[key, value] as const] : []
  })
  return Object.fromEntries(members) as DistFileData // defines even `__proto__` as a member
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** Field, value, field, value … as pypicloud writes them; the value of `last_modified` is the eighth text. */
export function fieldsOfFile(file: DistFile): string[] {
  const fields = ['name', file.name, 'version', file.version, 'filename', file.filename]
  fields.push('last_modified', formatSeconds(file.lastModified), 'summary', file.summary ?? '')
  for (const [key, value] of Object.entries(file.data)) {
    if (value && !columns.has(key)) fields.push(key, formatJson(value, undefined))
  }
  return fields
}

/** As Python writes a float of seconds since 1970: `1795216921.673`, `1795216921.0`. */
export function formatSeconds(time: Date): string {
  const seconds = String(time.getTime() / 1000)
  return seconds.includes('.') ? seconds : `${seconds}.0`
}

const secondsForm = /^(-?\d+)(?:\.(\d+))?$/

/** Whole milliseconds of the text's decimals: pypicloud writes six. */
export function parseSeconds(text: string): Date {
  const [, seconds, fraction = ''] = secondsForm.exec(text) ?? []
  if (seconds === undefined) return new Date(0)
  const milliseconds = Number(fraction.padEnd(3, '0').slice(0, 3))
  const time = new Date(Number(seconds) * 1000 + (seconds.startsWith('-') ? -milliseconds : milliseconds))
  return Number.isNaN(time.getTime()) ? new Date(0) : time
}
