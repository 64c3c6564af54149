import {quote} from '../../python-json.js'
import type {ObjectMetadata} from '../storage.js'

/** Bytes. Real ones have a few hundred; a larger file of that name is none of ours. */
export const largestMetadata = 1 << 20

/** The order of pypicloud 1.3.12; what is ours comes after it. */
const order = ['requires_python', 'hash_sha256', 'hash_md5', 'uploader', 'summary']

/** A `.meta` file as Python's `json.dumps` writes it: ASCII, `, ` and `: `, only values that are not empty, no newline. */
export function formatMetadata(metadata: ObjectMetadata): string {
  const keys = [
    ...order.filter(key => Object.hasOwn(metadata, key)),
    ...Object.keys(metadata).filter(key => !order.includes(key)),
  ]
  const members = keys.flatMap(key => {
    const value = metadata[key]
    return value === undefined || value === '' ? [] : [`${quote(key)}: ${quote(value)}`]
  })
  return `{${members.join(', ')}}`
}

/**
 * Reads what any version of pypicloud wrote, `{"summary": null}` of 1.0.11 included. Numbers become text, everything
 * else that is no text is left out. Undefined: not a JSON object.
 */
export function parseMetadata(text: string): ObjectMetadata | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return Object.fromEntries(
    Object.entries(value).flatMap(([key, member]: [string, unknown]) => {
      if (key === '__proto__') return []
      if (typeof member === 'string') return member === '' ? [] : [[key, member]]
      return typeof member === 'number' && Number.isFinite(member) ? [[key, String(member)]] : []
    }),
  )
}
