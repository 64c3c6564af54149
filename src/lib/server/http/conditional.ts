import type {ByteRange} from '../../storage/storage.js'

/** Whether If-None-Match names `etag`. Weak comparison, as RFC 9110 §13.1.2 asks. */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false
  if (header === etag) return true
  return header.split(',').some(part => {
    const tag = part.trim()
    return tag === '*' || (tag.startsWith('W/') ? tag.slice(2) : tag) === etag
  })
}

/** RFC 9110 §13.1.3: whole seconds, and only dates that can be read. */
export function notModifiedSince(header: string | undefined, modified: Date): boolean {
  if (header === undefined) return false
  const since = Date.parse(header)
  return !Number.isNaN(since) && Math.floor(modified.getTime() / 1000) * 1000 <= since
}

/** Whether an If-Range still holds, so that the range may be answered alone. Strong comparison. */
export function rangeStillValid(
  header: string | undefined,
  etag: string | undefined,
  modified: Date,
): boolean {
  if (header === undefined) return true
  if (header.startsWith('"')) return header === etag
  return Date.parse(header) === Math.floor(modified.getTime() / 1000) * 1000
}

/**
 * The one range that a Range header asks for. Several ranges, other units and what can't be read are ignored, as
 * RFC 9110 §14.2 permits. @returns 'none' when nothing of it is there (416).
 */
export function parseRange(header: string | undefined, size: number): ByteRange | 'none' | undefined {
  const match = /^bytes\s*=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/i.exec(header ?? '')
  if (!match) return undefined
  const [, first = '', last = ''] = match
  if (first === '') {
    if (last === '') return undefined
    const suffix = Number(last)
    return suffix === 0 || size === 0 ? 'none' : {start: Math.max(0, size - suffix), end: size - 1}
  }
  const start = Number(first)
  const end = last === '' ? size - 1 : Math.min(Number(last), size - 1)
  if (last !== '' && Number(last) < start) return undefined
  return start >= size ? 'none' : {start, end}
}
