import {createHmac, timingSafeEqual} from 'node:crypto'

/** How far the clocks of two servers may differ, in seconds (RULES 34). */
const maxAheadSeconds = 300

const sign = (key: string, username: string, issued: string): string =>
  createHmac('sha256', key).update(`${username}:${issued}`).digest('hex')

/** A signup token of pypicloud: `<user>:<unix seconds>:<hex HMAC-SHA256 of both>`. `username` holds no colon. */
export function createSignupToken(
  username: string,
  key: string,
  issued: number = Math.floor(Date.now() / 1000),
): string {
  return `${username}:${issued}:${sign(key, username, String(issued))}`
}

/**
 * The user that a signup token lets register; undefined for a forged, expired or damaged one. Without a key there are
 * no tokens. It can be used until that user exists.
 */
export function readSignupToken(
  token: string,
  options: {readonly key: string | undefined; readonly expireSeconds: number; readonly now?: number},
): string | undefined {
  const {key, expireSeconds, now = Date.now() / 1000} = options
  const [username, issued, signature, ...more] = token.split(':')
  if (!key || !username || issued === undefined || signature === undefined || more.length > 0)
    return undefined
  if (!/^\d{1,12}$/.test(issued) || !/^[0-9a-f]{64}$/.test(signature)) return undefined
  if (!timingSafeEqual(Buffer.from(signature), Buffer.from(sign(key, username, issued)))) return undefined
  const age = now - Number(issued)
  return age <= expireSeconds && age >= -maxAheadSeconds ? username : undefined
}
