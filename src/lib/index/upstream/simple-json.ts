import {UpstreamRefused} from './errors.js'
import type {FoundFile} from './project.js'

/** The files of a PEP 691 page, and of a project in quarantine (PEP 792) none. @throws {UpstreamRefused} */
export function readSimpleJson(text: string, where: string): FoundFile[] {
  const page = parseObject(text, where)
  const {meta, files} = page
  const version = isRecord(meta) ? textOf(meta['api-version']) : undefined
  if (version === undefined || !Array.isArray(files)) {
    throw new UpstreamRefused(`${where} is no page of the simple API`)
  }
  if (!version.startsWith('1.')) {
    throw new UpstreamRefused(
      `${where} is in version ${version.slice(0, 20)} of the simple API, which is not known here`,
    )
  }
  const status = page['project-status']
  if (isRecord(status) && status['status'] === 'quarantined') return []
  return files.flatMap(file => (isRecord(file) ? readFile(file) : []))
}

function readFile(file: Record<string, unknown>): FoundFile[] {
  const filename = textOf(file['filename'])
  const href = textOf(file['url'])
  if (filename === undefined || href === undefined) return []
  return [
    {
      filename,
      href,
      hashes: hashesOf(file['hashes']),
      requiresPython: textOf(file['requires-python']),
      size: sizeOf(file['size']),
      uploadTime: timeOf(file['upload-time']),
      yanked: yankOf(file['yanked']),
      coreMetadata: coreMetadataOf(file['core-metadata'] ?? file['dist-info-metadata']),
    },
  ]
}

const coreMetadataOf = (value: unknown): FoundFile['coreMetadata'] =>
  isRecord(value) ? {sha256: textOf(value['sha256'])} : value === true ? {} : undefined

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
export const sizeOf = (value: unknown): number | undefined =>
  Number.isSafeInteger(value) && Number(value) >= 0 ? Number(value) : undefined
/** PEP 592: true, or a reason. */
export const yankOf = (value: unknown): string | undefined =>
  value === true ? '' : typeof value === 'string' && value !== '' ? value : undefined

export const hashesOf = (value: unknown): Record<string, string> =>
  isRecord(value)
    ? Object.fromEntries(
        Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
      )
    : {}

/** A time of PEP 700 in its longest form: `2026-11-20T23:09:52.673762Z`. */
export function timeOf(value: unknown): string | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6})\d*)?(?:Z|\+00:00)$/.exec(textOf(value) ?? '')
  if (match === null || Number.isNaN(Date.parse(`${match[1] ?? ''}Z`))) return undefined
  return `${match[1] ?? ''}.${(match[2] ?? '').padEnd(6, '0')}Z`
}
