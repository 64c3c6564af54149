import {randomInt} from 'node:crypto'
import {request as httpRequest, type Agent, type IncomingMessage} from 'node:http'
import {request as httpsRequest} from 'node:https'
import {text} from 'node:stream/consumers'
import {setTimeout as sleep} from 'node:timers/promises'
import {GcsRefusal, isTransient, NotJson, SilentService} from './errors.js'
import {agentFor, environmentProxy} from '../../proxies.js'

/** Silence after which a connection counts as dead. Finishing a large upload takes the service a while. */
const silenceMilliseconds = 60_000
const longestWaitMilliseconds = 8_000

/** One request of the JSON API (cloud.google.com/storage/docs/json_api). */
export interface GcsCall {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** From the root of the service, parts percent-encoded. May have a query of its own. */
  readonly path: string
  readonly query?: Readonly<Record<string, string | undefined>>
  readonly headers?: Readonly<Record<string, string>>
  /** Pieces that are sent one after the other. */
  readonly body?: readonly Buffer[]
  readonly signal?: AbortSignal | undefined
}

/** As whom the service is asked. */
export interface GcsIdentity {
  /** For messages: `server.ini:12: storage.gcp_service_account_json_filename`. */
  readonly who: string
  /** Headers of a request. */
  authorize(): Promise<Readonly<Record<string, string>>>
}

export interface RetryOptions {
  /** Of all, the first included. */
  readonly attempts?: number
  /** No attempt begins later than this after the first. */
  readonly withinSeconds?: number
  readonly signal?: AbortSignal | undefined
}

/**
 * The JSON API over connections of our own, through the proxy that the environment names. The SDK finds the credentials;
 * its methods would neither stop at an AbortSignal, nor send a stream's bytes again, nor cancel a resumable upload, nor go
 * on with a download that was cut.
 */
export class GcsApi implements Disposable {
  /** `https://storage.googleapis.com`, without a slash at its end. */
  readonly root: string
  readonly #identity: GcsIdentity
  readonly #agent: Agent
  readonly #send: typeof httpRequest

  constructor(root: string, identity: GcsIdentity) {
    const scheme = root.startsWith('https:') ? 'https' : 'http'
    const proxy = environmentProxy(scheme, new URL(root).hostname)
    this.root = root
    this.#identity = identity
    this.#agent = agentFor(scheme, proxy, {keepAlive: true, maxFreeSockets: 64})
    this.#send = scheme === 'https' ? httpsRequest : httpRequest
  }

  /** The answer's JSON, after as many attempts as it takes. @throws {GcsRefusal} for a status of 400 and more. */
  json<T>(call: GcsCall, options: RetryOptions = {}): Promise<T> {
    return retrying(
      async () => {
        const content = await text(await this.accepted(call))
        try {
          return (content === '' ? {} : JSON.parse(content)) as T
        } catch (error) {
          throw new NotJson(error)
        }
      },
      {signal: call.signal, ...options},
    )
  }

  /** One attempt. The caller reads the body or destroys it. @throws {GcsRefusal} for a status of 400 and more. */
  async accepted(call: GcsCall): Promise<IncomingMessage> {
    const answer = await this.send(call)
    const status = answer.statusCode ?? 0
    if (status < 400) return answer
    throw this.refusal(status, await text(answer).catch(() => ''))
  }

  /** @param body of the answer. */
  refusal(status: number, body: string): GcsRefusal {
    return new GcsRefusal(status, body, this.#identity.who)
  }

  /** One attempt, whatever its status is. */
  async send({method, path, query = {}, headers, body = [], signal}: GcsCall): Promise<IncomingMessage> {
    signal?.throwIfAborted()
    const url = new URL(this.root + path)
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined) url.searchParams.set(name, value)
    }
    const authorization = await this.#identity.authorize()
    return new Promise((resolve, reject) => {
      const request = this.#send(url, {
        method,
        agent: this.#agent,
        headers: {
          ...headers,
          ...authorization,
          'content-length': body.reduce((sum, {length}) => sum + length, 0),
        },
        timeout: silenceMilliseconds,
        ...(signal ? {signal} : {}),
      })
      request.once('timeout', () => request.destroy(new SilentService()))
      request.once('response', resolve)
      request.on('error', error => {
        reject(signal?.aborted ? (signal.reason as Error) : error)
      })
      for (const piece of body) request.write(piece)
      request.end()
    })
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }
}

/**
 * Tries again what failed in passing, after waits that double and are drawn at random, so that many clients don't
 * return at the same moment.
 */
export async function retrying<T>(
  attempt: (number: number) => Promise<T>,
  {attempts = 7, withinSeconds = 60, signal}: RetryOptions = {},
): Promise<T> {
  const until = performance.now() + withinSeconds * 1000
  for (let number = 1; ; number += 1) {
    try {
      return await attempt(number)
    } catch (error) {
      signal?.throwIfAborted()
      if (number >= attempts || !isTransient(error) || performance.now() > until) throw error
    }
    await pauseAfter(number, signal)
  }
}

/** @param failures so far. */
export async function pauseAfter(failures: number, signal?: AbortSignal): Promise<void> {
  const longest = Math.min(longestWaitMilliseconds, 100 * 2 ** failures)
  await sleep(randomInt(longest / 5, longest), undefined, signal ? {signal} : {}).catch(() => undefined)
  signal?.throwIfAborted()
}

export const bucketPath = (bucket: string): string => `/storage/v1/b/${encodeURIComponent(bucket)}`
export const objectPath = (bucket: string, key: string): string =>
  `${bucketPath(bucket)}/o/${encodeURIComponent(key)}`
export const uploadPath = (bucket: string): string => `/upload${bucketPath(bucket)}/o`
