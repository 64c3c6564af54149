import {InvalidInput} from '../errors.js'
import {quote} from './filenames.js'

/** What METADATA of a wheel or PKG-INFO of an sdist or egg says. Absent, empty and `UNKNOWN` values are undefined. */
export interface CoreMetadata {
  readonly metadataVersion: string | undefined
  readonly name: string | undefined
  readonly version: string | undefined
  /** One line. */
  readonly summary: string | undefined
  readonly requiresPython: string | undefined
  readonly requiresDist: readonly string[]
  readonly description: string | undefined
  /** Every header, by its name in lower case; a repeated one has several values. */
  readonly fields: ReadonlyMap<string, readonly string[]>
}

/** Of METADATA and PKG-INFO, in bytes. Public ones stay below one: descriptions are a README, at most with a change log. */
export const longestMetadata = 4 * 1024 * 1024
const mostHeaders = 20_000

/**
 * Reads the headers up to the first empty line as Python's `email.parser` does; what follows is the description. Bytes that are no
 * UTF-8 become U+FFFD. @throws {InvalidInput} when it is too long, or says two things where installers know but one.
 */
export function parseCoreMetadata(input: string | Buffer): CoreMetadata {
  if (Buffer.byteLength(input) > longestMetadata)
    throw new InvalidInput(`The core metadata is longer than ${longestMetadata} bytes.`)
  const text = (typeof input === 'string' ? input : input.toString('utf8')).replace(/^\ufeff/, '')
  const {fields, body} = readHeaders(text)
  const single = (name: string): string | undefined => {
    const values = fields.get(name)
    if (values !== undefined && new Set(values).size > 1)
      throw new InvalidInput(
        `The core metadata has several values of ${name}: ${values.slice(0, 3).map(quote).join(', ')}.`,
      )
    return meaningful(values?.[0])
  }
  return {
    metadataVersion: single('metadata-version'),
    name: single('name'),
    version: single('version'),
    summary: meaningful(fields.get('summary')?.[0])?.replace(/\s*\n\s*/g, ' '),
    requiresPython: single('requires-python'),
    requiresDist: fields.get('requires-dist') ?? [],
    description: meaningful(body) ?? meaningful(fields.get('description')?.[0]),
    fields,
  }
}

const meaningful = (value: string | undefined): string | undefined => {
  const trimmed = value?.trim()
  return trimmed === undefined || trimmed === '' || trimmed === 'UNKNOWN' ? undefined : trimmed
}

function readHeaders(text: string): {fields: Map<string, string[]>; body: string} {
  const fields = new Map<string, string[]>()
  const lines = /([^\r\n]*)(?:\r\n|\r|\n|$)/y
  let current: {name: string; lines: string[]} | undefined
  let headers = 0
  const finish = (): void => {
    if (current === undefined) return
    const values = fields.get(current.name) ?? []
    values.push(current.lines.join('\n'))
    fields.set(current.name, values)
    current = undefined
  }
  let bodyStart = text.length
  while (lines.lastIndex < text.length) {
    const start = lines.lastIndex
    const line = lines.exec(text)?.[1] ?? ''
    if (/^[ \t]/.test(line)) {
      // Tools mark the further lines of a description with eight blanks, or with seven and a bar.
      current?.lines.push(line.replace(/^(?: {7}\|| {8}|[ \t])/, ''))
      continue
    }
    const header = /^([^\s:]+)[ \t]*:[ \t]*(.*)$/s.exec(line)
    if (header === null) {
      bodyStart = line === '' ? lines.lastIndex : start
      break
    }
    finish()
    headers += 1
    if (headers > mostHeaders)
      throw new InvalidInput(`The core metadata has more than ${mostHeaders} headers.`)
    const [, name = '', value = ''] = header
    current = {name: name.toLowerCase(), lines: [value]}
  }
  finish()
  return {fields, body: text.slice(bodyStart)}
}
