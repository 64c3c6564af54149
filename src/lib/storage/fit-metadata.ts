import type {ObjectMetadata} from './storage.js'

/**
 * As much metadata as a service takes: first the summary is cut, then the longest of the others go, so that no upload is
 * lost for it. Installers read what is missing from the file itself; only name and version always stay.
 * @param limit bytes of all names and values together.
 */
export function fitMetadata(metadata: ObjectMetadata, limit: number): ObjectMetadata {
  const excess = bytesOf(Object.entries(metadata)) - limit
  if (excess <= 0) return metadata
  const {summary, ...others} = metadata
  const room = Buffer.byteLength(summary ?? '') - excess
  if (room > 0) return {...metadata, summary: cut(summary ?? '', room)}
  const entries = Object.entries(others)
  const longestFirst = entries
    .filter(([name]) => name !== 'name' && name !== 'version')
    .sort((a, b) => bytesOf([b]) - bytesOf([a]))
  let left = bytesOf(entries)
  const dropped = new Set<string>()
  for (const entry of longestFirst) {
    if (left <= limit) break
    dropped.add(entry[0])
    left -= bytesOf([entry])
  }
  return Object.fromEntries(entries.filter(([name]) => !dropped.has(name)))
}

const bytesOf = (entries: readonly (readonly [name: string, value: string])[]): number =>
  entries.reduce((sum, [name, value]) => sum + Buffer.byteLength(name) + Buffer.byteLength(value), 0)

/** A letter that is cut in half becomes U+FFFD, and goes. */
const cut = (text: string, bytes: number): string =>
  Buffer.from(text)
    .subarray(0, bytes)
    .toString('utf8')
    .replace(/\ufffd+$/, '')
    .trimEnd()
