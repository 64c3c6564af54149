import {request, type Agent, type IncomingMessage} from 'node:http'
import {request as requestTls} from 'node:https'
import pLimit from 'p-limit'
import {Unavailable} from '../../errors.js'
import {brokenOffCodes} from '../../network-errors.js'
import {agentFor, environmentProxy} from '../../proxies.js'
import {AccessServerFailed, BadStatus} from './failures.js'

export interface RemoteSettings {
  /** As in the config: paths are put behind it as they stand. */
  readonly backendServer: string
  readonly user: string | undefined
  readonly password: string | undefined
  readonly timeout: number // seconds
  /** `server.ini:14: auth.backend_server` */
  place(key: string): string
}

/** Requests at the same time, and how many may wait for their turn: a server that hangs must not fill the memory. */
const connections = 16
const maxWaiting = 1000
/** Of one answer. A list of 100,000 users has 5 MB. */
const maxAnswerBytes = 32_000_000

/**
 * The server that decides who may do what: a GET, its parameters in the query, JSON as the answer. That is pypicloud's
 * protocol (COMPAT §5.5), which sends passwords in the query too: nothing here puts a query into a message.
 */
export class RemoteServer implements Disposable {
  /** For messages, without credentials. */
  readonly name: string
  readonly #base: string
  readonly #authorization: string | undefined
  readonly #agent: Agent
  readonly #limit = pLimit(connections)

  constructor(private readonly settings: RemoteSettings) {
    const url = new URL(settings.backendServer)
    const user = settings.user ?? (url.username === '' ? undefined : decodeURIComponent(url.username))
    const password = settings.password ?? decodeURIComponent(url.password)
    if (user !== undefined) this.#authorization = `Basic ${encodeBasic(`${user}:${password}`)}`
    this.#base = settings.backendServer.replace(/\/\/[^/?#]*@/, '//')
    this.name = this.#base
    const scheme = url.protocol === 'https:' ? 'https' : 'http'
    this.#agent = agentFor(scheme, environmentProxy(scheme, url.hostname), {
      keepAlive: true,
      maxSockets: connections,
    })
  }

  /**
   * The answer to `GET <backend_server><path>?<parameters>`.
   * @throws {Unavailable} when it is down, hangs or breaks off, {AccessServerFailed} when it answers anything else
   */
  async get(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
    if (this.#limit.pendingCount >= maxWaiting) {
      throw this.#unavailable('is slow: too many requests wait for it')
    }
    return this.#limit(() => this.#get(path, parameters))
  }

  async #get(path: string, parameters: Readonly<Record<string, string>>): Promise<unknown> {
    const {timeout} = this.settings
    const deadline = AbortSignal.timeout(timeout * 1000)
    try {
      const answer = await this.#send(path, parameters, deadline)
      const text = await this.#read(answer, path)
      try {
        return JSON.parse(text) as unknown
      } catch {
        throw new AccessServerFailed(`${this.#at(path)} answers with something else than JSON`)
      }
    } catch (error) {
      if (error instanceof AccessServerFailed) throw error
      if (deadline.aborted) throw this.#unavailable(`did not answer within ${timeout} s`, error)
      const code = error instanceof Error && 'code' in error ? String(error.code) : String(error)
      throw this.#unavailable(`can't be reached now (${code})`, error)
    }
  }

  #send(
    path: string,
    parameters: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<IncomingMessage> {
    const url = new URL(`${this.#base}${path}`)
    for (const [name, value] of Object.entries(parameters)) url.searchParams.append(name, value)
    const headers = {
      Accept: 'application/json, */*;q=0.5',
      'User-Agent': 'ppc-toolkit',
      ...(this.#authorization !== undefined && {Authorization: this.#authorization}),
    }
    const send = url.protocol === 'https:' ? requestTls : request
    const ask = (): Promise<IncomingMessage> =>
      new Promise((resolve, reject) => {
        const asking = send(url, {agent: this.#agent, headers, signal}, resolve)
        asking.on('error', (error: NodeJS.ErrnoException) => {
          // a connection that was idle, and that the server has closed in this very moment: it has not heard the question
          if (asking.reusedSocket && !signal.aborted && brokenOffCodes.has(error.code ?? '')) resolve(ask())
          else reject(error)
        })
        asking.end()
      })
    return ask()
  }

  async #read(answer: IncomingMessage, path: string): Promise<string> {
    const {statusCode: status = 0, headers} = answer
    if (status < 200 || status > 299) {
      answer.destroy()
      throw new BadStatus(`${this.#at(path)} ${describeStatus(status, headers.location)}`, status)
    }
    const parts: Buffer[] = []
    let size = 0
    for await (const part of answer as AsyncIterable<Buffer>) {
      size += part.length
      if (size > maxAnswerBytes) {
        answer.destroy()
        throw new AccessServerFailed(`${this.#at(path)} answers with more than ${maxAnswerBytes} bytes`)
      }
      parts.push(part)
    }
    return Buffer.concat(parts).toString('utf8')
  }

  /** An answer that means nothing: of the wrong shape. */
  unexpected(path: string, expected: string): AccessServerFailed {
    return new AccessServerFailed(`${this.#at(path)} answers with something else than ${expected}`)
  }

  #at(path: string): string {
    return `${this.settings.place('auth.backend_server')}: the access server at ${this.name}${path}`
  }

  #unavailable(problem: string, cause?: unknown): Unavailable {
    const at = `${this.settings.place('auth.backend_server')}: the access server at ${this.name}`
    return new Unavailable(`${at} ${problem}`, {cause})
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }
}

/** The place that a redirect leads to is not followed: it would get the passwords. */
function describeStatus(status: number, location: string | undefined): string {
  if (status >= 300 && status < 400) {
    const target = location !== undefined && URL.canParse(location) ? ` to ${new URL(location).origin}` : ''
    return `redirects${target} (${status}), which is not followed: write the address that answers`
  }
  if (status === 401 || status === 403) return `refuses auth.user and auth.password (${status})`
  return `answers with ${status}`
}

/** As Python's requests: in Latin-1 where that has all characters. */
const encodeBasic = (text: string): string =>
  Buffer.from(text, /^[\0-\u00ff]*$/.test(text) ? 'latin1' : 'utf8').toString('base64')
