import type {DistFile} from '../../packaging/dist-file.js'

/** The version of the simple API that pages claim (PEP 629, PEP 691). */
export const apiVersion = '1.4'

/** One segment of a URL's path: everything but RFC 3986's unreserved characters is percent-encoded. */
export const encodePathSegment = (text: string): string =>
  // most are so already: pages may have ten thousand of them
  /^[\w.~-]*$/.test(text)
    ? text
    : encodeURIComponent(wellFormed(text)).replace(
        /[!'()*]/g,
        character => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
      )

/** Old rows may hold half a surrogate pair, for which there is no UTF-8. */
const wellFormed = (text: string): string => text.replace(/\p{Cs}/gu, '\ufffd')

/** For text and attribute values of HTML. */
export const escapeHtml = (text: string): string =>
  /[&<>"']/.test(text)
    ? text.replace(/[&<>"']/g, character => escapes[character as keyof typeof escapes])
    : text
const escapes = {'&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;'}

/** Where clients fetch a file: its address without a digest, absolute or relative to the page. */
export type AddressOf = (file: Pick<DistFile, 'name' | 'filename'>) => string

const belowRelative = new Map<string, AddressOf>()

/**
 * Addresses at this server. For a relative root always the same function, so that who knows it knows what it gives.
 * @param root of the application, with a slash at the end: `http://host/`, or relative to the page: `../../`.
 */
export function addressBelow(root: string): AddressOf {
  const known = belowRelative.get(root)
  if (known) return known
  const addressOf: AddressOf = ({name, filename}) =>
    `${root}api/package/${encodePathSegment(name)}/${encodePathSegment(filename)}`
  if (root.startsWith('.')) belowRelative.set(root, addressOf)
  return addressOf
}

/** The digest behind an address, where it is known. */
export const withDigest = (address: string, {data}: Pick<DistFile, 'data'>): string =>
  data.hash_sha256 ? `${address}#sha256=${encodePathSegment(data.hash_sha256)}` : address

/** An anchor as pypicloud writes it. `attributes` begin with a blank. */
export const anchor = (href: string, text: string, attributes = ''): string =>
  `<a href="${escapeHtml(href)}"${attributes}>${escapeHtml(text)}</a><br>\n`

/** @param meta further lines of the head. */
export const pageStart = (title: string, meta = ''): string =>
  `<!DOCTYPE html>\n<html>\n<head>\n  <meta name="pypi:repository-version" content="${apiVersion}">\n${meta}` +
  `  <title>${title}</title>\n</head>\n<body>\n`
export const pageEnd = '</body>\n</html>'
