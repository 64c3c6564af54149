import type {Readable} from 'node:stream'
import {setTimeout as sleep} from 'node:timers/promises'
import type {Address} from './object-url.js'
import type {S3Place} from './place.js'
import {sendOver} from './quick-connection.js'
import {signHeaders} from './sign-headers.js'
import {encodeKey, encodePart} from './sign-url.js'
import {sha256} from './signature.js'

export interface QuickRequest {
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'DELETE'
  /** Empty: the bucket. */
  readonly key: string
  readonly query?: Readonly<Record<string, string>>
  /** In lower case, values in ASCII. */
  readonly headers?: Readonly<Record<string, string>>
  readonly content?: Buffer
  readonly signal?: AbortSignal | undefined
}
export interface QuickAnswer {
  readonly statusCode: number
  /** In lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Read it to its end or destroy it: it holds a connection. */
  readonly body: Readable
}

/**
 * One request about one object or the bucket, without the SDK, of whose CPU it takes a fifth: listings and
 * migrations make one for each file. It is sent once. Undefined: nobody answered, or only that it is too
 * much now. After that, and after any answer that was not hoped for, the SDK is to ask again: it tries several times, and
 * knows what to say. What was sent may have arrived all the same.
 */
export async function askQuickly(place: S3Place, request: QuickRequest): Promise<QuickAnswer | undefined> {
  if (!isPlain(place.bucket)) return undefined
  const answer = await send(place, request).catch(() => undefined)
  request.signal?.throwIfAborted()
  if (answer === undefined || (answer.statusCode < 500 && answer.statusCode !== 429)) return answer
  answer.body.resume()
  await sleep(100 + Math.random() * 300, undefined, {signal: request.signal})
  return undefined
}

/** Requests to S3 Express and to access points are signed in other ways. */
const isPlain = (bucket: string): boolean => /^[\w.-]+$/.test(bucket) && !bucket.endsWith('--x-s3')

async function send(
  {api, settings, region}: S3Place,
  {method, key, query = {}, headers, content, signal}: QuickRequest,
): Promise<QuickAnswer> {
  const {userAgent = 'ppc-toolkit', userAgentExtra = '', payloadSigningEnabled} = settings.values
  const signer = await api.credentials()
  const address: Address = {
    ...api.address,
    pathname: api.address.pathname + encodeKey(key),
    search: searchOf(query),
  }
  const isUnsigned = payloadSigningEnabled === false && address.protocol === 'https:'
  const signed = signHeaders(
    {
      method,
      address,
      headers: {
        ...headers,
        'x-amz-content-sha256': isUnsigned ? 'UNSIGNED-PAYLOAD' : content ? sha256(content) : sha256OfNothing,
      },
    },
    signer,
    region,
    new Date(Date.now() + api.clockOffset),
  )
  const answer = await sendOver(api.connections, {
    method,
    address,
    headers: {
      ...signed,
      'user-agent': `${userAgent} ${userAgentExtra}`.trim(),
      ...(content && {'content-length': String(content.length)}),
    },
    content,
    signal,
  })
  return {
    statusCode: answer.statusCode ?? 0,
    headers: answer.headers as Readonly<Record<string, string>>, // only `set-cookie` is a list
    body: answer,
  }
}

function searchOf(query: Readonly<Record<string, string>>): string {
  const names = Object.keys(query).sort()
  if (names.length === 0) return ''
  return `?${names.map(name => `${encodePart(name)}=${encodePart(query[name] ?? '')}`).join('&')}`
}

const sha256OfNothing = sha256('')
