import {UpstreamRefused} from './errors.js'
import type {FoundFile} from './project.js'

/** Under which keys a kind of JSON has what every kind says of a file. */
export type FileKeys = Readonly<Record<'hashes' | 'requiresPython' | 'uploadTime', string>>

/** Of a list of files those that have a name and an address. `readRest` gives what each kind of JSON says in its own way. */
export function readFiles(
  list: unknown,
  keys: FileKeys,
  readRest: (file: Record<string, unknown>) => Pick<FoundFile, 'yanked' | 'coreMetadata'>,
): FoundFile[] {
  if (!Array.isArray(list)) return []
  return list.filter(isRecord).flatMap(file => {
    const filename = textOf(file['filename'])
    const href = textOf(file['url'])
    if (filename === undefined || href === undefined) return []
    return {
      filename,
      href,
      hashes: hashesOf(file[keys.hashes]),
      requiresPython: textOf(file[keys.requiresPython]),
      size: sizeOf(file['size']),
      uploadTime: timeOf(file[keys.uploadTime]),
      ...readRest(file),
    }
  })
}

/** @throws {UpstreamRefused} */
export function parseObject(text: string, where: string): Record<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new UpstreamRefused(`${where} is no JSON`, {cause: error})
  }
  if (!isRecord(value)) throw new UpstreamRefused(`${where} is no JSON object`)
  return value
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
export const textOf = (value: unknown): string | undefined =>
  typeof value === 'string' && value !== '' ? value : undefined
const sizeOf = (value: unknown): number | undefined =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : undefined
const hashesOf = (value: unknown): Record<string, string> =>
  isRecord(value)
    ? Object.fromEntries(
        Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
      )
    : {}

/** A time of PEP 700 in its longest form: `2026-11-20T23:09:52.673762Z`. */
function timeOf(value: unknown): string | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(?:Z|\+00:00)$/.exec(textOf(value) ?? '')
  if (match === null || Number.isNaN(Date.parse(`${match[1] ?? ''}Z`))) return undefined
  return `${match[1] ?? ''}.${(match[2] ?? '').padEnd(6, '0')}Z`
}
