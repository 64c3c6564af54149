import {createHash, randomBytes} from 'node:crypto'
import {crc32} from 'node:zlib'

// ppc_ k3x9d0aa1m Q0…34 random characters…z 1b9ZcQ
//      id         secret                     checksum
//
// Scanners for leaked secrets find it by its beginning, and by the checksum without asking anybody whether it is one.

/** What clients send as the user name, with a token for a password. Nobody may be called so. */
export const tokenUser = '__token__'

const prefix = 'ppc_'
const idLength = 10
const secretLength = 34 // 202 bits
const checksumLength = 6

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
/** Databases may take upper and lower case for the same. */
const idAlphabet = '0123456789abcdefghijklmnopqrstuvwxyz'
const form = new RegExp(
  `^${prefix}([0-9a-z]{${idLength}})[0-9A-Za-z]{${secretLength}}([0-9A-Za-z]{${checksumLength}})$`,
)
const textLength = prefix.length + idLength + secretLength + checksumLength

/** A new token: its text, which is shown once, and what is kept of it. */
export function makeTokenText(): {text: string; id: string; sha256: string} {
  const id = randomText(idAlphabet, idLength)
  const body = `${prefix}${id}${randomText(base62, secretLength)}`
  const text = body + checksumOf(body)
  return {text, id, sha256: digestOf(text)}
}

/** The id in the text of a token; undefined for what is none, mistyped or cut. */
export function findTokenId(text: string): string | undefined {
  if (text.length !== textLength) return undefined
  const [, id, checksum] = form.exec(text) ?? []
  return checksum === checksumOf(text.slice(0, -checksumLength)) ? id : undefined
}

export const isTokenId = (text: string): boolean => text.length === idLength && /^[0-9a-z]+$/.test(text)

export const digestOf = (text: string): string => createHash('sha256').update(text).digest('hex')

function checksumOf(body: string): string {
  let rest = crc32(body)
  let checksum = ''
  for (let place = 0; place < checksumLength; place++) {
    checksum = base62.charAt(rest % 62) + checksum
    rest = Math.floor(rest / 62)
  }
  return checksum
}

/** Every character as likely as the others: bytes beyond the last multiple of the alphabet's length are thrown away. */
function randomText(alphabet: string, length: number): string {
  const usable = 256 - (256 % alphabet.length)
  let text = ''
  while (text.length < length) {
    for (const byte of randomBytes(length * 2)) {
      if (byte < usable && text.length < length) text += alphabet.charAt(byte % alphabet.length)
    }
  }
  return text
}
