import type {Readable} from 'node:stream'
import {createGunzip} from 'node:zlib'
import {failure, show, type UpstreamAnswer} from './connection.js'
import {UpstreamRefused} from './errors.js'

/**
 * The whole body, decoded. @param limit bytes, before and after decoding.
 * @throws {UpstreamRefused} when it is larger, damaged or in an unknown encoding. @throws {UpstreamDown}
 */
export async function readBody(answer: UpstreamAnswer, limit: number): Promise<Buffer> {
  const {body, url} = answer
  const encoding = (answer.header('content-encoding') ?? 'identity').toLowerCase()
  try {
    if (Number(answer.header('content-length') ?? 0) > limit) throw tooLarge(url, limit)
    if (encoding === 'identity') return await collect(body, url, limit)
    if (encoding !== 'gzip' && encoding !== 'x-gzip') {
      throw new UpstreamRefused(`${show(url)} is encoded as ${encoding}, which was not asked for`)
    }
    return await collect(gunzipped(body), url, limit)
  } catch (error) {
    if (error instanceof Error && 'code' in error && String(error.code).startsWith('Z_')) {
      throw new UpstreamRefused(`${show(url)} is damaged`, {cause: error})
    }
    throw failure(url, error)
  } finally {
    body.destroy()
  }
}

function gunzipped(body: Readable): Readable {
  const gunzip = createGunzip()
  body.once('error', error => gunzip.destroy(error))
  return body.pipe(gunzip)
}

async function collect(stream: Readable, url: URL, limit: number): Promise<Buffer> {
  const parts: Buffer[] = []
  let size = 0
  for await (const part of stream as AsyncIterable<Buffer>) {
    size += part.length
    if (size > limit) throw tooLarge(url, limit)
    parts.push(part)
  }
  return Buffer.concat(parts)
}

const tooLarge = (url: URL, limit: number): UpstreamRefused =>
  new UpstreamRefused(`${show(url)} is larger than ${limit} bytes`)
