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
  const found = Object.fromEntries(entries) as Record<string, string>
  const {summary} = found
  const excess = sizeOf(found) - longestMetadata
  if (excess > 0 && summary !== undefined) {
    found['summary'] = summary.slice(0, Math.max(0, summary.length - excess)).trim()
    if (found['summary'] === '') delete found['summary']
  }
  // What is still too long is foreign and useless to installers, who read the file itself.
  for (const [name] of Object.entries(found).sort(([, a], [, b]) => b.length - a.length)) {
    if (sizeOf(found) <= longestMetadata) break
    if (name !== 'name' && name !== 'version') Reflect.deleteProperty(found, name)
  }
  return found
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

const sizeOf = (metadata: Readonly<Record<string, string>>): number =>
  Object.entries(metadata).reduce((sum, [name, value]) => sum + name.length + value.length, 0)
