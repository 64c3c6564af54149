import type {Readable} from 'node:stream'
import {setTimeout as sleep} from 'node:timers/promises'
import type {Address} from './object-url.js'
import type {S3Place} from './place.js'
import {sendOver, type SignedRequest} from './quick-connection.js'
import {signHeaders} from './sign-headers.js'
import {encodeKey, encodePart} from './sign-url.js'
import {sha256} from './signature.js'
import {smallSizeOf, type AnswerHead, type SmallAnswer, type SmallMethod} from './small-answer.js'
import {collect} from '../small-body.js'

export interface QuickRequest {
  /** HEAD only where a proxy is in between: see `askForLittle`. */
  readonly method: 'GET' | 'HEAD' | 'PUT' | 'DELETE'
  /** Empty: the bucket. */
  readonly key: string
  readonly query?: Readonly<Record<string, string>>
  /** In lower case, values in ASCII. */
  readonly headers?: Readonly<Record<string, string>>
  readonly content?: Buffer
  readonly signal?: AbortSignal | undefined
}
export interface QuickAnswer extends AnswerHead {
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
  const answer = await hopedFor(place, () => send(place, request))
  request.signal?.throwIfAborted()
  if (answer === undefined || !isTooMuch(answer)) return answer
  answer.body.resume()
  await pause(request.signal)
  return undefined
}

/** As `askQuickly`, by HEAD or of an object that was listed as small. Undefined also where it is not small any more. */
export async function askForLittle(
  place: S3Place,
  method: SmallMethod,
  key: string,
): Promise<SmallAnswer | undefined> {
  const answer = await hopedFor(place, () => sendForLittle(place, {method, key}))
  if (answer === undefined || !isTooMuch(answer)) return answer
  await pause()
  return undefined
}

const hopedFor = async <T>({bucket}: S3Place, ask: () => Promise<T>): Promise<T | undefined> =>
  isPlain(bucket) ? ask().catch(() => undefined) : undefined

const isTooMuch = ({statusCode}: AnswerHead): boolean => statusCode >= 500 || statusCode === 429

const pause = (signal?: AbortSignal) => sleep(100 + Math.random() * 300, undefined, {signal})

/** Requests to S3 Express and to access points are signed in other ways. */
const isPlain = (bucket: string): boolean => /^[\w.-]+$/.test(bucket) && !bucket.endsWith('--x-s3')

async function send(place: S3Place, request: QuickRequest): Promise<QuickAnswer> {
  const {method, content, signal} = request
  const answer = await sendOver(place.api.connections, {
    method,
    ...(await signed(place, request)),
    content,
    signal,
  })
  return {
    statusCode: answer.statusCode ?? 0,
    headers: answer.headers as Readonly<Record<string, string>>, // only `set-cookie` is a list
    body: answer,
  }
}

async function sendForLittle(
  place: S3Place,
  request: QuickRequest & {method: SmallMethod},
): Promise<SmallAnswer> {
  const {direct} = place.api
  const {method} = request
  if (direct) return direct.ask({method, ...(await signed(place, request))})
  const answer = await send(place, request)
  try {
    if (method === 'GET') smallSizeOf(answer)
    return {...answer, body: await collect(answer.body)}
  } catch (error) {
    answer.body.destroy()
    throw error
  }
}

async function signed(
  {api, settings, region}: S3Place,
  {method, key, query = {}, headers, content}: QuickRequest,
): Promise<SignedRequest> {
  const {userAgent = 'ppc-toolkit', userAgentExtra = '', payloadSigningEnabled} = settings.values
  const signer = await api.credentials()
  const address: Address = {
    ...api.address,
    pathname: api.address.pathname + encodeKey(key),
    search: searchOf(query),
  }
  const isUnsigned = payloadSigningEnabled === false && address.protocol === 'https:'
  const bodyHash = isUnsigned ? 'UNSIGNED-PAYLOAD' : content ? sha256(content) : sha256OfNothing
  const toSign = {method, address, headers: {...headers, 'x-amz-content-sha256': bodyHash}}
  return {
    address,
    headers: {
      ...signHeaders(toSign, signer, region, new Date(Date.now() + api.clockOffset)),
      'user-agent': `${userAgent} ${userAgentExtra}`.trim(),
      ...(content && {'content-length': String(content.length)}),
    },
  }
}

function searchOf(query: Readonly<Record<string, string>>): string {
  const names = Object.keys(query).sort()
  if (names.length === 0) return ''
  return `?${names.map(name => `${encodePart(name)}=${encodePart(query[name] ?? '')}`).join('&')}`
}

const sha256OfNothing = sha256('')
