/** The one spelling under which a project is stored and looked up, PEP 503 §Normalized Names. */
export const normalizeName = (name: string): string => name.replace(/[-_.]+/g, '-').toLowerCase()

/** Whether a project may be called so: ASCII letters and digits, with `.`, `_` and `-` in between. PEP 508 §Names. */
export const isProjectName = (name: string): boolean => /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/i.test(name)

/** @param patterns project names in any spelling; `*` stands for any text. */
export function nameMatcher(patterns: readonly string[]): (normalizedName: string) => boolean {
  const normalized = patterns.map(normalizeName)
  const names = new Set(normalized.filter(pattern => !hasWildcard(pattern)))
  const split = normalized.filter(hasWildcard).map(pattern => pattern.split('*'))
  return name => names.has(name) || split.some(parts => hasParts(name, parts))
}

export const hasWildcard = (name: string): boolean => name.includes('*')

/** For other names than those of projects: nothing is normalised. */
export function wildcardMatcher(pattern: string): (name: string) => boolean {
  const parts = pattern.split('*')
  return name => (parts.length > 1 ? hasParts(name, parts) : name === pattern)
}

/**
 * Whether `name` is the parts in order with any text between them. Not by a regular expression: patterns of API tokens
 * are anybody's, and `*a*a*a*b` would take it minutes.
 */
function hasParts(name: string, parts: readonly string[]): boolean {
  const [first = '', ...rest] = parts
  const last = rest.pop() ?? ''
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last))
    return false
  const end = name.length - last.length
  let position = first.length
  for (const part of rest) {
    const found = name.indexOf(part, position)
    if (found < 0 || found + part.length > end) return false
    position = found + part.length
  }
  return true
}
