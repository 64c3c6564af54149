import {isUtf8} from 'node:buffer'
import type {Config} from '../../config/config.js'

/** Sent to the router in place of a path that can't be read: it answers 400. */
const unreadable = '/%'

const plain = /^(?:\/[\w.~!$'()*,;=:@+-]+)+\/?$/
const dots = /\/\.{1,2}(?:\/|$)/

/**
 * The path as the router wants it: each segment percent-encoded once, no empty segments, an end slash kept, the mount
 * prefix gone. As pypicloud: repeated slashes collapse and `%2F` separates. Paths that are no UTF-8, or hold control
 * characters, `.` or `..`, become one that the router refuses.
 */
export function canonicalUrl(target: string, mountPath: string): string {
  const sent = withoutFragment(target)
  const question = sent.indexOf('?')
  const query = question < 0 ? '' : sent.slice(question)
  const path = withoutMount(question < 0 ? sent : sent.slice(0, question), mountPath)
  if (path === undefined) return unreadable
  if (path === '/' || (plain.test(path) && !dots.test(path))) return path + query
  const decoded = decodePath(path)
  if (decoded === undefined) return unreadable
  const segments = decoded.split('/').filter(segment => segment !== '')
  if (segments.length === 0) return `/${query}`
  const end = decoded.endsWith('/') ? '/' : ''
  return `/${segments.map(encodeSegment).join('/')}${end}${query}`
}

/** What is plain stays so: hatch asks for `%2Bsimple` where the route is called `+simple`. */
const encodeSegment = (segment: string): string =>
  encodeURIComponent(segment).replace(/%(?:24|2B|2C|3A|3B|3D|40)/g, decodeURIComponent)

/** It is for the client alone, but some send the whole link: `/simple/foo/#sha256=…`. */
function withoutFragment(target: string): string {
  const hash = target.indexOf('#')
  return hash < 0 ? target : target.slice(0, hash)
}

/** Where the config puts the server below a host, without a slash at the end. */
export const mountPathOf = ({server}: Config): string =>
  (server.prefixFilter ? server.prefixFilter.prefix : server.mountPath).replace(/\/+$/, '')

/** Also takes a proxy's absolute form, `GET http://host/path`. */
export function withoutMount(path: string, mountPath: string): string | undefined {
  const rooted = path.startsWith('/') ? path : path.replace(/^https?:\/\/[^/]*/i, '') || '/'
  if (!rooted.startsWith('/')) return undefined
  if (mountPath === '' || !rooted.startsWith(mountPath)) return rooted
  const rest = rooted.slice(mountPath.length)
  return rest === '' ? '/' : rest.startsWith('/') ? rest : rooted
}

function decodePath(path: string): string | undefined {
  let decoded: string
  try {
    // What is not percent-encoded reaches us as Latin-1: raw UTF-8, as old clients send it, is read as such.
    const bytes = Buffer.from(path, 'latin1')
    if (!isUtf8(bytes)) return undefined
    decoded = decodeURIComponent(bytes.toString())
  } catch {
    return undefined
  }
  return /[\0-\x1f\x7f-\x9f]/.test(decoded) || dots.test(decoded) ? undefined : decoded
}

/** First segments that are no project names below the root (`/simple/` is not the project "simple"). */
export const reservedNames: ReadonlySet<string> = new Set([
  'api',
  'admin',
  'simple',
  'pypi',
  'packages',
  'acct',
  'static',
  'legacy',
])
