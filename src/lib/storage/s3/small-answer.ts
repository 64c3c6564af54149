import {smallSize} from '../small-body.js'

export interface AnswerHead {
  readonly statusCode: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}
export interface SmallAnswer extends AnswerHead {
  /** Of at most `smallSize`. Empty after HEAD. */
  readonly body: Buffer
}

export type SmallMethod = 'GET' | 'HEAD'

interface ReadHead extends AnswerHead {
  /** The service takes another request on this connection. */
  readonly isKept: boolean
  /** Where the body begins and where it ends, in the bytes of the answer. */
  readonly start: number
  readonly end: number
}

const longestHead = 64 << 10 // bytes

/** The answer to one request, as it comes in pieces. */
export class SmallAnswerReader {
  #head: ReadHead | undefined
  #pieces: Buffer[] = []
  #size = 0

  constructor(private readonly method: SmallMethod) {}

  get isKept(): boolean {
    return this.#head?.isKept === true
  }

  /** @returns the answer once it is whole. @throws {Error} where it is none of HTTP/1.1, or not small */
  take(piece: Buffer): SmallAnswer | undefined {
    this.#pieces.push(piece)
    this.#size += piece.length
    const head = (this.#head ??= readHead(this.method, this.#joined()))
    if (head === undefined || this.#size < head.end) return undefined
    if (this.#size > head.end) throw new Error('the answer is longer than it says')
    return {statusCode: head.statusCode, headers: head.headers, body: this.#joined().subarray(head.start)}
  }

  #joined(): Buffer {
    if (this.#pieces.length > 1) this.#pieces = [Buffer.concat(this.#pieces)]
    return this.#pieces[0] as Buffer
  }
}

/** Undefined: it has not come to its end. */
function readHead(method: SmallMethod, bytes: Buffer): ReadHead | undefined {
  const blankLine = bytes.indexOf('\r\n\r\n')
  if (blankLine === -1) {
    if (bytes.length > longestHead) throw new Error('the head of the answer does not end')
    return undefined
  }
  const [first = '', ...lines] = bytes.toString('latin1', 0, blankLine).split('\r\n')
  const [, minor, status] = /^HTTP\/1\.([01]) ([2-5]\d\d)(?: |$)/.exec(first) ?? []
  if (status === undefined) throw new Error('the answer is none of HTTP/1.1')
  const head = {statusCode: Number(status), headers: parseHeaders(lines)}
  const start = blankLine + 4
  return {
    ...head,
    isKept: minor === '1' && !/\bclose\b/i.test(head.headers['connection'] ?? ''),
    start,
    end: start + (method === 'HEAD' ? 0 : smallSizeOf(head)),
  }
}

function parseHeaders(lines: readonly string[]): Record<string, string> {
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon < 1 || line[0] === ' ' || line[0] === '\t')
      throw new Error('the answer has a line that is no header')
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value
  }
  return headers
}

/** How many bytes the body of an answer to GET has. @throws {Error} where they are many, or the head does not tell */
export function smallSizeOf({statusCode, headers}: AnswerHead): number {
  const length = headers['content-length'] ?? ''
  if (!/^\d+$/.test(length) || 'transfer-encoding' in headers || statusCode === 204 || statusCode === 304) {
    throw new Error('the answer does not say how long it is')
  }
  if (Number(length) > smallSize) throw new Error(`the answer has ${length} bytes`)
  return Number(length)
}
