import {readFile} from 'node:fs/promises'
import type {Readable} from 'node:stream'
import {UsageError} from '../errors.js'

/** The first line of a file, without its line end: how secrets come in where an argument would show in `ps`. */
export const readSecretFile = async (path: string): Promise<string> => firstLine(await readFile(path), path)

/** The first line of `input`, as pypicloud reads it but for its line end. Reads no further, so that a person can type it. */
export async function readSecret(input: Readable): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of input as AsyncIterable<Buffer>) {
    parts.push(part)
    if (part.includes('\n')) break
  }
  return firstLine(Buffer.concat(parts), 'stdin')
}

/** @throws {UsageError} for nothing, NUL, or what is not UTF-8: its hash would match no password that anybody can type. */
function firstLine(bytes: Buffer, where: string): string {
  let text: string
  try {
    text = new TextDecoder('utf-8', {fatal: true, ignoreBOM: true}).decode(bytes)
  } catch (cause) {
    throw new UsageError(`the secret from ${where} is not UTF-8`, {cause})
  }
  const [line = ''] = text.split(/\r?\n/, 1)
  if (line === '') throw new UsageError(`the secret from ${where} is empty`)
  if (line.includes('\0')) throw new UsageError(`the secret from ${where} holds a NUL character`)
  return line
}
