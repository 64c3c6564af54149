const hex = (character: string): string => `\\${character.charCodeAt(0).toString(16).padStart(2, '0')}`

/** A value inside a DN (RFC 4514 §2.4). Control characters are escaped too: servers make of them what they like. */
export const escapeDnValue = (value: string): string =>
  value.replace(/[\u0000-\u001f\u007f"+,;<=>\\]|^[ #]| $/g, found =>
    found < ' ' || found === '\u007f' ? hex(found) : `\\${found}`,
  )

/** A value inside a search filter (RFC 4515 §3). */
export const escapeFilterValue = (value: string): string => value.replace(/[\u0000*()\\]/g, hex)

/** Puts an escaped name into a template of the operator's, where `{{` and `}}` mean braces, as Python's `format` has it. */
export const fillTemplate = (template: string, username: string): string =>
  template.replace(/\{\{|\}\}|\{username\}/g, found => (found === '{username}' ? username : found.charAt(0)))

/** The attributes that a template compares with the name itself: `uid` of `(&(objectClass=person)(uid={username}))`. */
export const comparedAttributes = (template: string): string[] =>
  [...template.matchAll(/(?:^|[(,+])\s*([\w.-]+)\s*=\s*\{username\}\s*(?=[),+]|$)/g)].flatMap(
    ([, name]) => name ?? [],
  )

/**
 * A filter as ldapts can parse it: no blanks around its parts, and escaped bytes beyond ASCII as the characters that they
 * are in UTF-8, which it would take for one character each.
 */
export const tidyFilter = (filter: string): string =>
  filter
    .trim()
    .replace(/\(\s+/g, '(')
    .replace(/\(([&|!])\s+/g, '($1')
    .replace(/\)\s+(?=[()])/g, ')')
    .replace(/(?:\\[89a-f][0-9a-f])+/gi, bytes =>
      Buffer.from(bytes.replaceAll('\\', ''), 'hex').toString('utf8'),
    )
