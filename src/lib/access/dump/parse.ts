import Tokenizer from '@streamparser/json/tokenizer.js'
import TokenType from '@streamparser/json/utils/types/tokenType.js'
import type {Readable} from 'node:stream'
import {InvalidInput} from '../../errors.js'
import type {AclEntry} from '../access.js'
import {readDump, type Token} from './grammar.js'
import {unpackIfGzip} from '../gunzip.js'

export interface ParseDumpOptions {
  /** Called for what the dump has and we don't know. */
  readonly onNotice?: (notice: string) => void
}

/** Bytes that a single name or number may have: a dump is foreign input, and may be a bomb. */
const maxTokenBytes = 1_000_000
/** Bytes to tokenize before entries are handed on: what waits in between is bounded by it. */
const sliceBytes = 4096

const kinds: Readonly<Record<number, Token['kind']>> = {
  [TokenType.LEFT_BRACE]: '{',
  [TokenType.RIGHT_BRACE]: '}',
  [TokenType.LEFT_BRACKET]: '[',
  [TokenType.RIGHT_BRACKET]: ']',
  [TokenType.COLON]: ':',
  [TokenType.COMMA]: ',',
  [TokenType.TRUE]: 'boolean',
  [TokenType.FALSE]: 'boolean',
  [TokenType.NULL]: 'null',
  [TokenType.STRING]: 'string',
  [TokenType.NUMBER]: 'number',
}

/**
 * The entries of a dump, from its JSON text as bytes, plain or gzipped, in the order in which they stand there and in bounded memory.
 * @throws {InvalidInput} where the text is damaged, cut off or no dump: then forget what came before
 */
export async function* parseDump(
  input: Readable | AsyncIterable<Uint8Array>,
  options: ParseDumpOptions = {},
): AsyncGenerator<AclEntry> {
  let entries: AclEntry[] = []
  const grammar = readDump(entry => entries.push(entry), options.onNotice ?? (() => undefined))
  grammar.next()
  const at = {read: 0, token: 0, ended: false}
  const tokenizer = new Tokenizer()
  tokenizer.onToken = ({token, value, offset}) => {
    at.token = offset
    if (at.ended) throw damaged(`found more after its end, at byte ${offset}`)
    const kind = kinds[token]
    if (kind === undefined) throw damaged(`found no JSON at byte ${offset}`)
    at.ended = grammar.next({kind, value, offset}).done === true
  }
  for await (const chunk of unpackIfGzip(input as AsyncIterable<Uint8Array>)) {
    for (let start = 0; start < chunk.length; start += sliceBytes) {
      const slice = chunk.subarray(start, start + sliceBytes)
      try {
        tokenizer.write(slice)
      } catch (error) {
        throw explain(error, at.read)
      }
      at.read += slice.length
      if (!at.ended && at.read - at.token > maxTokenBytes) {
        throw damaged(`found an endless value at byte ${at.token}`)
      }
      if (entries.length > 0) {
        const batch = entries
        entries = []
        yield* batch
      }
    }
  }
  try {
    tokenizer.end()
  } catch (error) {
    throw damaged(`it ends in the middle of a value, after ${at.read} bytes`, error)
  }
  if (!at.ended) {
    throw damaged(at.read === 0 ? 'found nothing' : `it ends too early, after ${at.read} bytes`)
  }
  yield* entries
}

const damaged = (problem: string, cause?: unknown): InvalidInput =>
  new InvalidInput(`this is not a whole dump of access rules: ${problem}`, {cause})

function explain(error: unknown, read: number): unknown {
  if (error instanceof InvalidInput || !(error instanceof Error)) return error
  return damaged(`found no JSON near byte ${read}`, error)
}
