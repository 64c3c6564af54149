import {fitMetadata} from '../fit-metadata.js'
import type {ObjectMetadata} from '../storage.js'

/** Bytes of all names and values of a blob (limit of the service: 8 KB), with some room. */
const longestMetadata = 8000

/**
 * Metadata as Azure takes it: it travels as headers, so names must be identifiers of C# and values one line of ASCII.
 * What does not fit is folded (é → e) or dropped, and the summary cut, so that no upload is lost for it.
 */
export function toAzureMetadata(metadata: ObjectMetadata): Record<string, string> {
  const entries = Object.entries(metadata).flatMap(([name, value]) => {
    const folded = foldToAscii(value)
    return folded === '' ? [] : [[identifier(name), folded] as const]
  })
  return fitMetadata(Object.fromEntries(entries), longestMetadata)
}

/** Names come in lower case as headers and as they were written in listings; to Azure they are the same. */
export function fromAzureMetadata(metadata: Readonly<Record<string, string>> = {}): ObjectMetadata {
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name.toLowerCase(), value]))
}

/**
 * One line of printable ASCII: accents are taken off, other characters dropped. Runs of blanks become one, because the
 * signature of a request is computed over such a value.
 */
function foldToAscii(value: string): string {
  return value
    .normalize('NFKD')
    .replace(/\s+/g, ' ')
    .replace(/[^\x20-\x7e]/g, '')
    .replace(/ {2,}/g, ' ')
    .trim()
}

function identifier(name: string): string {
  const cleaned = name.toLowerCase().replace(/[^a-z0-9_]/g, '_')
  return /^\d/.test(cleaned) ? `_${cleaned}` : cleaned
}
