import type {Values} from '../../config/fields.js'
import type {sessionFields} from '../../config/schema/session.js'

export type CookieSettings = Pick<
  Values<typeof sessionFields>,
  'key' | 'secure' | 'httponly' | 'samesite' | 'cookieExpires' | 'cookieDomain' | 'cookiePath'
>

/** Of a Cookie header; of several cookies of that name the first, which is the one for the longest path. */
export function readCookie(header: string, name: string): string | undefined {
  for (const part of header.split(';')) {
    const equals = part.indexOf('=')
    if (equals > 0 && part.slice(0, equals).trim() === name) return part.slice(equals + 1).trim()
  }
  return undefined
}

/** A Set-Cookie header. @param lifeSeconds after which the value is worth nothing */
export function formatCookie(value: string, lifeSeconds: number, settings: CookieSettings): string {
  const maxAge = maxAgeOf(settings.cookieExpires, lifeSeconds)
  return [`${settings.key}=${value}`, ...(maxAge === undefined ? [] : [`Max-Age=${maxAge}`])]
    .concat(attributesOf(settings))
    .join('; ')
}

/** A Set-Cookie header that makes the browser forget it. */
export const formatNoCookie = (settings: CookieSettings): string =>
  [`${settings.key}=`, 'Max-Age=0', 'Expires=Thu, 01 Jan 1970 00:00:00 GMT', ...attributesOf(settings)].join(
    '; ',
  )

const attributesOf = ({cookiePath, cookieDomain, httponly, samesite, secure}: CookieSettings): string[] => [
  ...(cookieDomain === undefined ? [] : [`Domain=${cookieDomain}`]),
  `Path=${cookiePath}`,
  ...(httponly ? ['HttpOnly'] : []),
  `SameSite=${samesite}`,
  ...(secure ? ['Secure'] : []),
]

/** As Beaker: true (the default) is until the browser ends, false for ever, a number that many seconds. */
function maxAgeOf(expires: string | undefined, lifeSeconds: number): number | undefined {
  const text = expires?.trim().toLowerCase() ?? 'true'
  if (/^\d+$/.test(text)) return Math.min(Number(text), lifeSeconds)
  return text === 'false' ? lifeSeconds : undefined
}
