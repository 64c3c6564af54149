/** The one spelling under which a project is stored and looked up, PEP 503 §Normalized Names. */
export const normalizeName = (name: string): string => name.replace(/[-_.]+/g, '-').toLowerCase()

/** Whether a project may be called so: ASCII letters and digits, with `.`, `_` and `-` in between. PEP 508 §Names. */
export const isProjectName = (name: string): boolean => /^[a-z0-9](?:[a-z0-9._-]*[a-z0-9])?$/i.test(name)

/** @param patterns project names in any spelling; `*` stands for any text. */
export function nameMatcher(patterns: readonly string[]): (normalizedName: string) => boolean {
  const sources = patterns.map(pattern =>
    normalizeName(pattern)
      .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
      .replaceAll('\\*', '.*'),
  )
  const pattern = new RegExp(`^(?:${sources.join('|')})$`, 's')
  return name => sources.length > 0 && pattern.test(name)
}
