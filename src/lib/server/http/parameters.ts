import type {FastifyRequest} from 'fastify'
import {HttpError, missingArgument} from './errors.js'
import {readForm} from './form.js'

/** Largest body of anything but an upload, in bytes. */
const bodyLimit = 1024 * 1024

/**
 * The arguments of a request, as pypicloud reads them: the members of a JSON object, or the query and the form
 * together. Own properties only: a name such as `__proto__` is a name like any other.
 */
export class Parameters {
  constructor(private readonly values: ReadonlyMap<string, unknown>) {}

  has(name: string): boolean {
    return this.values.has(name)
  }
  /** @throws {HttpError} 400 when it is missing or no text. */
  text(name: string): string {
    const value = this.values.get(name)
    if (value === undefined || value === null) throw missingArgument(name)
    if (typeof value !== 'string') {
      throw new HttpError(400, `Argument '${name}' must be a text`, {form: 'raised'})
    }
    return value
  }
  /** A list of texts, or one text with commas or blanks in between. @throws {HttpError} 400 when it is neither. */
  texts(name: string): string[] {
    const value = this.values.get(name)
    if (!Array.isArray(value))
      return this.text(name)
        .split(/[\s,]+/)
        .filter(Boolean)
    if (value.every(item => typeof item === 'string')) return value
    throw new HttpError(400, `Argument '${name}' must be a list of texts`, {form: 'raised'})
  }
  /** Text is read as it is meant: `true`, `yes`, `on`, `1` and their opposites. @throws {HttpError} 400 for others. */
  flag(name: string): boolean {
    const value = this.values.get(name)
    if (value === undefined || value === null) throw missingArgument(name)
    if (typeof value === 'boolean') return value
    if (value === 0 || value === 1) return value === 1
    if (typeof value === 'string' && /^(?:t|true|y|yes|on|1)$/i.test(value)) return true
    if (typeof value === 'string' && /^(?:f|false|n|no|off|0|)$/i.test(value)) return false
    throw new HttpError(400, `Argument '${name}' must be true or false`, {form: 'raised'})
  }
}

/** A body is small: whoever needs longer for it, in seconds, only wants to hold the connection. */
const patience = 60

/** @throws {HttpError} 400, 408 or 413 for bodies that can't be read. */
export const readParameters = (request: FastifyRequest): Promise<Parameters> =>
  patiently(request, () => read(request))

async function patiently<T>({raw}: FastifyRequest, work: () => Promise<T>): Promise<T> {
  const late = new HttpError(408, `The body took longer than ${patience} seconds`)
  const timer = setTimeout(() => void raw.destroy(late), patience * 1000).unref()
  try {
    return await work()
  } finally {
    clearTimeout(timer)
  }
}

async function read(request: FastifyRequest): Promise<Parameters> {
  const type = (request.headers['content-type'] ?? '').toLowerCase()
  if (type.startsWith('application/json')) {
    const text = await readText(request)
    return new Parameters(text.trim() === '' ? new Map() : parseObject(text))
  }
  const values = new Map<string, string>(queryOf(request))
  if (type.startsWith('application/x-www-form-urlencoded')) {
    for (const [name, value] of new URLSearchParams(await readText(request))) values.set(name, value)
  } else if (type.startsWith('multipart/form-data')) {
    const form = await readForm(request.raw, {limit: bodyLimit})
    for (const [name, value] of form.fields) values.set(name, value[0] ?? '')
  }
  return new Parameters(values)
}

export function queryOf(request: FastifyRequest): URLSearchParams {
  const question = request.url.indexOf('?')
  return new URLSearchParams(question < 0 ? '' : request.url.slice(question + 1))
}

function parseObject(text: string): Map<string, unknown> {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw new HttpError(400, 'The body is no JSON', {form: 'raised', cause: error})
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new HttpError(400, 'The body is no JSON object', {form: 'raised'})
  }
  return new Map(Object.entries(value))
}

/** The whole body, which is small. @param limit in bytes. @throws {HttpError} 408 or 413. */
export const readBody = (request: FastifyRequest, limit: number): Promise<string> =>
  patiently(request, () => readText(request, limit))

async function readText(request: FastifyRequest, limit = bodyLimit): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request.raw as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > limit) throw new HttpError(413, `The body is larger than ${limit} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}
