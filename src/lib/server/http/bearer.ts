import {tokenUser} from '../../access/api-tokens/token-text.js'

/**
 * The API token that a client sends: `Authorization: Bearer TOKEN`, or Basic with the user `__token__`. Whether it is one
 * is for others to say. Undefined where there is no such thing.
 * @param credentials of the same header, if it is of that kind
 */
export function tokenIn(
  header: string,
  credentials: {readonly username: string; readonly password: string} | undefined,
): string | undefined {
  if (credentials) return credentials.username === tokenUser ? credentials.password : undefined
  return header.slice(0, 7).toLowerCase() === 'bearer ' ? header.slice(7).trim() : undefined
}
