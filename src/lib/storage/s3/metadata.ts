import {fitMetadata} from '../fit-metadata.js'
import type {ObjectMetadata} from '../storage.js'

/** S3 takes 2 KB: names and values together. Some services count a little more than others. */
const limit = 2000 // bytes

/**
 * Metadata as pypicloud 1.3.12 writes it: hyphens in names, since proxies swallow underscores, and values folded to
 * ASCII, since headers hold nothing else. What remains blank is left out, and what is more than the service takes.
 */
export function formatS3Metadata(metadata: ObjectMetadata): Record<string, string> {
  const folded = Object.entries(metadata)
    .map(([name, value]) => [name.replaceAll('_', '-'), toAscii(value)] as const)
    .filter(([, value]) => value.trim() !== '')
  return {...fitMetadata(Object.fromEntries(folded), limit)}
}

const toAscii = (value: string): string =>
  value
    .normalize('NFKD')
    .replace(/[^\x00-\x7f]/g, '')
    .replace(/[\x00-\x20\x7f]+/g, ' ')

/** Values as text: folded, or encoded by the service or by a client of the past, because they were not ASCII. */
export function parseS3Metadata(metadata: Readonly<Record<string, string>> = {}): ObjectMetadata {
  const parsed: Record<string, string> = {}
  for (const name in metadata) parsed[name] = decoded(metadata[name] ?? '')
  return parsed
}

function decoded(value: string): string {
  if (/[\x80-\xff]/.test(value)) return fromBytes(Buffer.from(value, 'latin1'), 'utf-8') ?? value
  if (!value.includes('=?')) return value
  return value
    .replace(/(\?=)\s+(?==\?)/g, '$1') // the blank between two encoded words is none (RFC 2047 §6.2)
    .replace(
      /=\?([^?*\s]+)(?:\*[^?]*)?\?([bq])\?([^?]*)\?=/gi,
      (word, charset: string, form: string, text: string) => {
        const bytes = /b/i.test(form)
          ? Buffer.from(text, 'base64')
          : Buffer.from(
              text
                .replaceAll('_', ' ')
                .replace(/=([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(parseInt(hex, 16))),
              'latin1',
            )
        return fromBytes(bytes, charset) ?? word
      },
    )
}

function fromBytes(bytes: Buffer, charset: string): string | undefined {
  try {
    return new TextDecoder(charset, {fatal: true}).decode(bytes)
  } catch {
    return undefined
  }
}
