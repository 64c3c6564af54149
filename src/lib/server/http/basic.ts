import {isUtf8} from 'node:buffer'

/**
 * User name and password of `Authorization: Basic`. What can't be read counts as no credentials: another scheme, bad
 * base64, no colon, no UTF-8.
 */
export function basicCredentials(header: string): {username: string; password: string} | undefined {
  if (header.length > 8192 || header.slice(0, 6).toLowerCase() !== 'basic ') return undefined
  const bytes = Buffer.from(header.slice(6).trim(), 'base64')
  if (!isUtf8(bytes)) return undefined
  const text = bytes.toString()
  const colon = text.indexOf(':')
  if (colon < 0) return undefined
  return {username: text.slice(0, colon), password: text.slice(colon + 1)}
}
