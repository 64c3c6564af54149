import {createHash} from 'node:crypto'
import {gunzipSync} from 'node:zlib'
import {recordedHost, type Exchange} from './exchange.js'

/** Of this server. */
interface Answer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, unknown>>
  readonly rawPayload: Buffer
  readonly payload: string
}

/** Headers that clients act on. */
const comparedHeaders = [
  'location',
  'www-authenticate',
  'content-range',
  'content-disposition',
  'last-modified',
]

/** What a client would notice of our answer that pypicloud's did not have: one line each. More is never a difference. */
export function differences(exchange: Exchange, answer: Answer): string[] {
  const {response} = exchange
  const found: string[] = []
  if (answer.statusCode !== response.status)
    found.push(`status ${response.status} is now ${answer.statusCode}`)
  const recorded = new Map(response.headers.map(([name, value]) => [name.toLowerCase(), value]))
  for (const name of comparedHeaders) {
    // Files of the upstream were fetched while the session went on.
    if (name === 'last-modified' && exchange.id.startsWith('fallback-cache')) continue
    const [then, now] = [recorded.get(name), answer.headers[name]]
    if (then !== undefined && String(now) !== then) found.push(`${name} ${then} is now ${String(now)}`)
  }
  const [then, now] = [recorded.get('content-type'), answer.headers['content-type']]
  if (then !== undefined && typeOf(then) !== typeOf(String(now)))
    found.push(`content-type ${then} is now ${String(now)}`)
  // Whoever compares bodies of different kinds learns nothing more.
  if (found.length === 0) found.push(...bodyDifferences(exchange, answer, recorded.get('content-type') ?? ''))
  return found
}

const typeOf = (header: string): string => header.toLowerCase().replaceAll(' ', '')

function bodyDifferences({request, response, volatile}: Exchange, answer: Answer, type: string): string[] {
  if (response.gunzipped_json !== undefined) {
    return jsonDifferences(
      response.gunzipped_json,
      JSON.parse(gunzipSync(answer.rawPayload).toString()),
      '',
      new Set(['version', 'password']),
    )
  }
  if (request.method === 'HEAD') return answer.rawPayload.length === 0 ? [] : ['HEAD has a body']
  if (response.body_sha256 !== undefined) {
    const digest = createHash('sha256').update(answer.rawPayload).digest('hex')
    const length = String(answer.headers['content-length'])
    if (digest !== response.body_sha256) return ['other bytes']
    return length === String(response.body_length) ? [] : [`content-length is ${length}`]
  }
  const then = response.body ?? ''
  if (then === '') return answer.payload === '' ? [] : [`an empty body is now ${answer.payload.slice(0, 80)}`]
  if (type.startsWith('application/json')) {
    return jsonDifferences(JSON.parse(then), JSON.parse(answer.payload), '', new Set(volatileNames(volatile)))
  }
  if (response.status >= 300) return errorTextDifferences(response.status, then, answer.payload)
  if (type.startsWith('text/html')) return htmlDifferences(request.path, then, answer.payload)
  if (type.startsWith('text/xml'))
    return structsOf(then) === structsOf(answer.payload) ? [] : ['another XML-RPC answer']
  return then === answer.payload ? [] : ['another text']
}

/** The order of projects found is that of a table without one. */
const structsOf = (xml: string): string =>
  unescapeHtml(xml).split('<struct>').slice(1).map(structOf).sort().join('\n')
const structOf = (rest: string): string => rest.split('</struct>')[0] ?? ''

const volatileNames = (volatile: Exchange['volatile']): readonly string[] =>
  typeof volatile === 'string' ? [volatile] : (volatile ?? [])

/**
 * Members may be added, none may change or go. Members of groups come out of a Python set, lists of users and groups out of
 * tables without an order: there it means nothing.
 */
function jsonDifferences(then: unknown, now: unknown, where: string, ignored: ReadonlySet<string>): string[] {
  if (Array.isArray(then) && Array.isArray(now)) {
    if (then.length !== now.length) return [`${where}: ${then.length} elements are now ${now.length}`]
    const unordered = where === '' || /(?:members|groups|groups\.[^.]+)$/.test(where)
    const [a, b] = unordered ? [sorted(then), sorted(now)] : [then, now]
    return a.flatMap((element, i) => jsonDifferences(element, b[i], `${where}[${i}]`, ignored))
  }
  if (isObject(then) && isObject(now)) {
    return Object.entries(then).flatMap(([key, value]) =>
      ignored.has(key) || isErrorText(then, key)
        ? []
        : jsonDifferences(value, now[key], `${where}.${key}`, ignored),
    )
  }
  if (where.endsWith('.url') && sameUrl(then, now)) return []
  return Object.is(then, now) ? [] : [`${where}: ${JSON.stringify(then)} is now ${JSON.stringify(now)}`]
}
const sorted = (array: readonly unknown[]): unknown[] =>
  [...array].sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))
/** `+` and `%2B` of a path are the same file. */
const sameUrl = (then: unknown, now: unknown): boolean =>
  typeof then === 'string' && typeof now === 'string' && then === decodeURIComponent(now)
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Sentences of errors are ours, but for the short ones that scripts look for. Those of unknown routes vary from route
 * to route in pypicloud (COMPAT §6.12).
 */
const isErrorText = (object: Record<string, unknown>, key: string): boolean =>
  key === 'message' &&
  (('error' in object && !String(object[key]).startsWith('Missing argument')) || 'title' in object)

const keptTexts =
  /Missing argument '\w+'|No packages found(?: named '[^']*')?|Could not find \S+|Package deletion is unallowed\.|Unknown action '\w+'|'\w+' is a reserved name/

function errorTextDifferences(status: number, then: string, now: string): string[] {
  const text = unescapeHtml(now)
  const found: string[] = []
  if (!text.includes(String(status))) found.push(`the text does not say ${status}`)
  if (status === 409 && !text.includes('already exists'))
    found.push('twine would not see that the file exists')
  const kept = keptTexts.exec(unescapeHtml(then))?.[0]
  if (kept !== undefined && !text.includes(kept)) found.push(`the text lacks "${kept}"`)
  if (/<html>/.test(now) && /<b>/.test(now)) found.push('the path is not escaped')
  return found
}

interface Anchor {
  readonly text: string
  readonly path: string
  readonly attributes: Readonly<Record<string, string>>
}

function htmlDifferences(path: string, then: string, now: string): string[] {
  const base = `http://${recordedHost}${path}`
  const before = anchors(then, base)
  const after = anchors(now, base)
  const found = before.flatMap((anchor, i) => {
    const other = after[i]
    if (!other) return [`the link ${anchor.text} is gone`]
    if (other.text !== anchor.text) return [`link ${i} ${anchor.text} is now ${other.text}`]
    // A digest that pypicloud left out is more, and never a difference.
    if (other.path !== anchor.path && other.path.split('#')[0] !== anchor.path)
      return [`${anchor.text} leads to ${other.path}, not ${anchor.path}`]
    return Object.entries(anchor.attributes).flatMap(([name, value]) =>
      other.attributes[name] === value
        ? []
        : [`${anchor.text}: ${name} ${value} is now ${other.attributes[name] ?? 'gone'}`],
    )
  })
  if (after.length > before.length) found.push(`${before.length} links are now ${after.length}`)
  const [title, other] = [then, now].map(html => /<title>([^<]*)</.exec(html)?.[1])
  if (title !== other) found.push(`title ${title ?? ''} is now ${other ?? ''}`)
  return found
}

function anchors(html: string, base: string): Anchor[] {
  return [...html.matchAll(/<a\s([^>]*)>([^<]*)<\/a>/g)].map(([, raw = '', text = '']) => {
    const attributes = Object.fromEntries(
      [...raw.matchAll(/([\w-]+)="([^"]*)"/g)].map(([, name = '', value = '']) => [
        name,
        unescapeHtml(value),
      ]),
    )
    const {href = '', ...rest} = attributes
    const url = new URL(href, base)
    return {text: unescapeHtml(text), path: decodeURIComponent(url.pathname) + url.hash, attributes: rest}
  })
}

const named: Readonly<Record<string, string>> = {lt: '<', gt: '>', amp: '&', quot: '"'}
const unescapeHtml = (text: string): string =>
  text.replace(
    /&(?:#x([\da-f]+)|#(\d+)|(\w+));/gi,
    (all, hex: string | undefined, decimal: string | undefined, name: string | undefined) =>
      hex !== undefined
        ? String.fromCodePoint(parseInt(hex, 16))
        : decimal !== undefined
          ? String.fromCodePoint(Number(decimal))
          : (named[name ?? ''] ?? all),
  )
