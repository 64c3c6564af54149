/** One part of a form: a file where it has a file name. */
export interface Part {
  readonly name: string
  readonly filename: string | undefined
  readonly bytes: Buffer
}

const typeOf = /^multipart\/form-data; ?boundary=("?)([\w'()+,./:=?-]{1,70})\1$/i
/** Names without what could be quoted or encoded in several ways. The type of a field may name no character set. */
const headersOf =
  /^\r\ncontent-disposition: form-data; name="([\w:.-]+)"(?:; filename="([\w.+!~-]+)")?(?:\r\ncontent-type: [\w.+-]+\/[\w.+-]+)?\r\n\r\n/i
/** Bytes: longer headers are none of those. */
const longestHeaders = 1024
const crlf = 2

/** What is between the parts of a form. Undefined where its type says it in an unusual way. */
export const plainBoundary = (contentType: string): string | undefined => typeOf.exec(contentType)?.[2]

/**
 * The parts of a form that is written as nearly every client writes it, whose bytes are all here. A tenth of the work of a
 * parser for whatever may come in whatever pieces.
 * @returns undefined for every other form, even if it is a good one: that parser decides.
 */
export function plainForm(boundary: string, body: Buffer): Part[] | undefined {
  const between = Buffer.from(`\r\n--${boundary}`)
  const first = between.subarray(crlf)
  if (!body.subarray(0, first.length).equals(first)) return undefined
  const parts: Part[] = []
  for (let start = first.length; ;) {
    const rest = body.subarray(start, start + longestHeaders).toString('latin1')
    if (rest === '--' || rest === '--\r\n') return parts.length > 0 ? parts : undefined
    const [headers = '', name = '', filename] = headersOf.exec(rest) ?? []
    const end = body.indexOf(between, start + headers.length - crlf)
    const from = start + headers.length
    if (headers === '' || end < from) return undefined
    parts.push({name, filename, bytes: body.subarray(from, end)})
    start = end + between.length
  }
}
