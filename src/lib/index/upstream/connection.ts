import type {Readable} from 'node:stream'
import {LRUCache} from 'lru-cache'
import type {Agent, buildConnector, Dispatcher, ProxyAgent} from 'undici'
import {brokenOffCodes} from '../../network-errors.js'
import {environmentProxy} from '../../proxies.js'
import {AddressGuard, hostOf, type AddressRules} from './addresses.js'
import {UpstreamDown, UpstreamRefused} from './errors.js'
import {resultOf, type UpstreamResult, type UpstreamWatch, type Wanted} from './watch.js'

export interface UpstreamCredentials {
  readonly username: string
  readonly password: string
}

export interface ConnectionOptions extends AddressRules {
  /** Sent to the origin of `own` and to no other. */
  readonly credentials?: UpstreamCredentials | undefined
  /** Seconds for a connection, for the beginning of an answer, and between two parts of it. */
  readonly timeoutSeconds: number
  readonly watch?: UpstreamWatch | undefined
}

export interface UpstreamRequest {
  readonly wanted: Wanted
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Seconds until the whole answer must have come. */
  readonly totalSeconds: number
}

export interface UpstreamAnswer {
  readonly status: number
  /** Undefined for what was not sent; the first of several. */
  header(name: string): string | undefined
  /** Where the answer came from, after redirects. */
  readonly url: URL
  /** Read it or destroy it. What it throws is {UpstreamDown}. */
  readonly body: Readable
}

const mostRedirects = 5
const redirects: readonly number[] = [301, 302, 303, 307, 308]

/** Megabytes of memory, which a server that asks nobody does without. */
const loadUndici = () => import('undici')
type Undici = Awaited<ReturnType<typeof loadUndici>>

/** GET requests to an upstream index, by proxies that the environment names, to addresses that are allowed. */
export class UpstreamConnection implements AsyncDisposable {
  readonly #guard: AddressGuard
  #direct: Agent | undefined
  #ended = false
  readonly #proxies = new Map<string, ProxyAgent>()
  readonly #connectors = new LRUCache<string, buildConnector.connector>({max: 100})

  constructor(private readonly options: ConnectionOptions) {
    this.#guard = new AddressGuard(options)
  }

  /** @throws {UpstreamDown} @throws {UpstreamRefused} for an address that is not allowed, and for too many redirects. */
  async get(url: URL, request: UpstreamRequest): Promise<UpstreamAnswer> {
    const started = performance.now()
    const tell = (result: UpstreamResult): void =>
      this.options.watch?.asked(request.wanted, result, (performance.now() - started) / 1000)
    try {
      const answer = await this.#follow(url, request)
      tell(resultOf(answer.status))
      return answer
    } catch (error) {
      tell(error instanceof UpstreamRefused ? 'refused' : 'failed')
      throw error
    }
  }

  async #follow(url: URL, {headers, totalSeconds}: UpstreamRequest): Promise<UpstreamAnswer> {
    const signal = AbortSignal.timeout(totalSeconds * 1000)
    let target = url
    for (let hop = 0; ; hop += 1) {
      this.#guard.checkUrl(target)
      const answer = await this.#ask(target, headers, signal)
      const location = redirects.includes(answer.status) ? answer.header('location') : undefined
      if (location === undefined) return answer
      answer.body.destroy()
      if (hop === mostRedirects) throw new UpstreamRefused(`${show(url)} redirects more than ${hop} times`)
      const next = parseUrl(location, target)
      if (!next) throw new UpstreamRefused(`${show(target)} redirects to what is no address`)
      if (target.protocol === 'https:' && next.protocol !== 'https:') {
        throw new UpstreamRefused(`${show(target)} redirects to an address without TLS`)
      }
      target = next
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ended = true
    await Promise.all([this.#direct?.destroy(), ...[...this.#proxies.values()].map(proxy => proxy.destroy())])
  }

  async #ask(url: URL, headers: UpstreamRequest['headers'], signal: AbortSignal): Promise<UpstreamAnswer> {
    const timeout = this.options.timeoutSeconds * 1000
    const undici = await loadUndici()
    if (this.#ended) throw new UpstreamDown(`${show(url)} is not asked any more: the server is ending`)
    const ask = () =>
      undici.request(withoutUser(url), {
        method: 'GET',
        headers: {'user-agent': 'ppc-toolkit', ...headers, ...this.#authorization(url)},
        dispatcher: this.#dispatcher(undici, url),
        headersTimeout: timeout,
        bodyTimeout: timeout,
        signal,
      })
    try {
      const found = await ask().catch((error: unknown) => {
        // once more: an idle connection may be closed in the very moment in which it is used again
        if (signal.aborted || !brokenOffCodes.has(codeOf(error))) throw error
        return ask()
      })
      const {body} = found
      body.on('error', () => undefined) // whoever reads is told; who destroys it does not care
      return {status: found.statusCode, header: name => first(found.headers[name]), url, body}
    } catch (error) {
      throw failure(url, error)
    }
  }

  /** To the upstream itself alone: what its pages lead to has no business with them. */
  #authorization(url: URL): Record<string, string> {
    const {own, credentials} = this.options
    if (!credentials || url.origin !== own?.origin) return {}
    const text = `${credentials.username}:${credentials.password}`
    return {authorization: `Basic ${Buffer.from(text).toString('base64')}`}
  }

  #dispatcher(undici: Undici, {protocol, hostname}: URL): Dispatcher {
    const scheme = protocol === 'https:' ? 'https' : 'http'
    const proxy = environmentProxy(scheme, hostname)
    if (proxy === undefined) {
      return (this.#direct ??= new undici.Agent({
        connections: 32,
        connect: (target, done) => this.#connect(undici, target, done),
      }))
    }
    const key = `${scheme} ${proxy}`
    const known = this.#proxies.get(key)
    if (known) return known
    const made = new undici.ProxyAgent({
      uri: proxy.includes('://') ? proxy : `http://${proxy}`,
      proxyTunnel: scheme === 'https',
    })
    this.#proxies.set(key, made)
    return made
  }

  #connect(undici: Undici, target: buildConnector.Options, done: buildConnector.Callback): void {
    const host = hostOf(target as unknown as URL)
    let connector = this.#connectors.get(host)
    if (!connector) {
      const timeout = this.options.timeoutSeconds * 1000
      connector = undici.buildConnector({timeout, lookup: this.#guard.lookupFor(host)})
      this.#connectors.set(host, connector)
    }
    connector(target, done)
  }
}

/** Without what may be secret: user, password, query. */
export const show = ({origin, pathname}: URL): string => `${origin}${pathname}`

export function parseUrl(text: string, base?: URL): URL | undefined {
  try {
    return new URL(text, base)
  } catch {
    return undefined
  }
}

/** What went wrong while asking or reading. @returns {UpstreamDown} unless it is a failure of ours already. */
export function failure(url: URL, error: unknown): Error {
  if (error instanceof UpstreamRefused || error instanceof UpstreamDown) return error
  const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error
  if (cause instanceof UpstreamRefused) return cause
  const code = codeOf(error)
  return new UpstreamDown(`${show(url)}: ${reasons[code] ?? `the request failed (${code})`}`, {
    cause: error,
    isUnreachable: unreachable.has(code),
  })
}

const first = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value[0] : value

function withoutUser(url: URL): URL {
  if (url.username === '' && url.password === '') return url
  const plain = new URL(url)
  plain.username = ''
  plain.password = ''
  return plain
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nobody listens there',
  ENOTFOUND: 'the host name is unknown',
  EAI_AGAIN: 'the host name can not be resolved now',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  UND_ERR_BODY_TIMEOUT: 'the answer stopped',
  TimeoutError: 'the answer took too long',
}

const unreachable: ReadonlySet<string> = new Set([
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
])

const codeOf = (error: unknown): string =>
  error instanceof Error ? ('code' in error && typeof error.code === 'string' ? error.code : error.name) : ''
