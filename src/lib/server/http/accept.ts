import type {PageType} from '../../index/index-pages.js'

interface Range {
  readonly type: string
  readonly quality: number
  readonly position: number
}

/** The ranges of an Accept header. Damaged parts count as absent. */
function parseAccept(header: string): Range[] {
  return header.split(',').flatMap((part, position) => {
    const [type, ...parameters] = part.split(';').map(text => text.trim().toLowerCase())
    if (!type?.includes('/')) return []
    const q = parameters.find(parameter => parameter.startsWith('q='))
    const quality = q === undefined ? 1 : Number(q.slice(2))
    return [{type, quality: quality >= 0 && quality <= 1 ? quality : 0, position}]
  })
}

/**
 * Which of `offers` the client wants most: by quality, then by the order of `offers`. The most specific range decides
 * about an offer. @returns undefined when it accepts none.
 */
export function preferred<T extends string>(header: string, offers: readonly T[]): T | undefined {
  const ranges = parseAccept(header)
  let best: T | undefined
  let bestQuality = 0
  for (const offer of offers) {
    const range =
      ranges.find(({type}) => type === offer) ??
      ranges.find(({type}) => type === `${offer.split('/')[0] ?? ''}/*`) ??
      ranges.find(({type}) => type === '*/*')
    if (range && range.quality > bestQuality) {
      best = offer
      bestQuality = range.quality
    }
  }
  return best
}

/** Whether the client takes gzip, and says so. */
export const acceptsGzip = (header: string | undefined): boolean =>
  header !== undefined && /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?\s*(?:,|$))/i.test(header)

const simpleJson = 'application/vnd.pypi.simple.v1+json'
const simpleHtml = 'application/vnd.pypi.simple.v1+html'

const simpleOffers = new Map<string, PageType>([
  ['text/html', 'text/html'],
  [simpleJson, simpleJson],
  ['application/vnd.pypi.simple.latest+json', simpleJson],
  [simpleHtml, simpleHtml],
  ['application/vnd.pypi.simple.latest+html', simpleHtml],
])
const simpleTypes = [...simpleOffers.keys()]
/** Clients send few different headers, each many times: the answers are kept, up to a bound. */
const known = new Map<string, PageType>()

/**
 * The representation of an index page: `?format=` (PEP 691 §URL Parameter) wins over Accept. Whoever accepts none gets
 * HTML, as from pypicloud: old clients send odd headers.
 */
export function simpleType(accept: string | undefined, format?: string): PageType {
  if (format !== undefined) {
    const wanted = simpleOffers.get(format.replaceAll(' ', '+'))
    if (wanted) return wanted
  }
  if (accept === undefined) return 'text/html'
  let type = known.get(accept)
  if (type === undefined) {
    type = simpleOffers.get(preferred(accept, simpleTypes) ?? 'text/html') ?? 'text/html'
    if (known.size < 500 && accept.length < 500) known.set(accept, type)
  }
  return type
}
