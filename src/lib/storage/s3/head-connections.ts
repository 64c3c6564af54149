import type {Agent} from 'node:http'
import {isIP, type Socket} from 'node:net'
import type {Connections} from './agents.js'
import type {Address} from './object-url.js'
import type {SignedRequest} from './quick-connection.js'

/** What a service says of an object without its bytes. */
export interface HeadAnswer {
  readonly statusCode: number
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

interface Question {
  /** The request as it is sent. */
  readonly text: string
  resolve(answer: HeadAnswer): void
  reject(error: Error): void
}

type Limits = Pick<Connections, 'connectionTimeout' | 'socketTimeout'>

const longestAnswer = 64 << 10 // characters

/**
 * Connections on which nothing is asked but HEAD, to one service without a proxy in between. As no answer has a body, none
 * needs the streams, events and timers of node:http, which are most of what a rebuild or a migration does for an object.
 * A connection that breaks takes one question along, and is opened anew for the next one.
 */
export class HeadConnections {
  readonly #open = new Set<HeadConnection>()
  readonly #idle: HeadConnection[] = []
  readonly #waiting: Question[] = []

  constructor(
    /** Opens them; one of node:https, too, has its options. */
    private readonly agent: Agent & {readonly options?: object},
    private readonly address: Pick<Address, 'hostname' | 'port' | 'protocol'>,
    private readonly limits: Limits,
  ) {}

  /** @throws what the connection does, or an Error about the request or the answer */
  ask(request: SignedRequest): Promise<HeadAnswer> {
    return new Promise((resolve, reject) => {
      const text = formatHead(request)
      const question = {text, resolve, reject}
      const idle = this.#idle.pop()
      if (idle) idle.ask(question)
      else if (this.#open.size < this.agent.maxSockets) this.#connect().ask(question)
      else this.#waiting.push(question)
    })
  }

  destroy(): void {
    for (const {reject} of this.#waiting.splice(0)) reject(new Error('nobody asks any more'))
    for (const connection of this.#open) connection.destroy()
  }

  #connect(): HeadConnection {
    const {hostname, port, protocol} = this.address
    const host = hostname.replace(/^\[|\]$/g, '')
    const options = {
      ...this.agent.options,
      host,
      port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
      servername: isIP(host) === 0 ? host : '',
    }
    const socket = this.agent.createConnection(options) as Socket
    const connection: HeadConnection = new HeadConnection(socket, this.limits, {
      free: () => {
        const next = this.#waiting.shift()
        if (next) connection.ask(next)
        else this.#idle.push(connection)
      },
      closed: () => {
        this.#open.delete(connection)
        const place = this.#idle.indexOf(connection)
        if (place !== -1) this.#idle.splice(place, 1)
        const next = this.#waiting.shift()
        if (next) this.#connect().ask(next)
      },
    })
    this.#open.add(connection)
    return connection
  }
}

class HeadConnection {
  #question: Question | undefined
  #text = ''

  constructor(
    private readonly socket: Socket,
    {connectionTimeout, socketTimeout}: Limits,
    private readonly on: {free(): void; closed(): void},
  ) {
    let failure = new Error('the connection was closed')
    socket.setTimeout(connectionTimeout)
    socket.once('connect', () => socket.setTimeout(socketTimeout))
    socket.once('timeout', () => socket.destroy(new Error('no answer came')))
    socket.on('data', (chunk: Buffer) => {
      this.#take(chunk)
    })
    socket.on('error', error => (failure = error))
    socket.once('close', () => {
      this.#question?.reject(failure)
      on.closed()
    })
  }

  ask(question: Question): void {
    this.#question = question
    this.socket.ref()
    this.socket.write(question.text, 'latin1')
  }

  destroy(error?: Error): void {
    this.socket.destroy(error)
  }

  #take(chunk: Buffer): void {
    this.#text += chunk.toString('latin1')
    const end = this.#text.indexOf('\r\n\r\n')
    if (end === -1) {
      if (this.#text.length > longestAnswer) this.destroy(new Error('the answer does not end'))
      return
    }
    const answer = this.#question && parseAnswer(this.#text.slice(0, end))
    const isAll = this.#text.length === end + 4
    if (!answer || !isAll) {
      this.destroy(new Error('the answer is none to HEAD'))
      return
    }
    this.#text = ''
    this.#question?.resolve(answer)
    this.#question = undefined
    if (!answer.isKept) {
      this.destroy()
      return
    }
    this.socket.unref() // an idle connection keeps no process from ending
    this.on.free()
  }
}

function formatHead({address, headers}: SignedRequest): string {
  let text = `HEAD ${address.pathname}${address.search} HTTP/1.1\r\n`
  for (const name in headers) {
    const value = headers[name] ?? ''
    if (/[^\t -\xff]/.test(value)) throw new Error(`the header ${name} can't be sent`)
    text += `${name}: ${value}\r\n`
  }
  return `${text}\r\n`
}

/** @param text without the blank line. @returns undefined for what is not plain HTTP/1.1 */
function parseAnswer(text: string): (HeadAnswer & {readonly isKept: boolean}) | undefined {
  const [first = '', ...lines] = text.split('\r\n')
  const [, minor, status] = /^HTTP\/1\.([01]) ([2-5]\d\d)(?: |$)/.exec(first) ?? []
  if (status === undefined) return undefined
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon < 1 || line[0] === ' ' || line[0] === '\t') return undefined
    const name = line.slice(0, colon).toLowerCase()
    const value = line.slice(colon + 1).trim()
    headers[name] = name in headers ? `${headers[name]}, ${value}` : value
  }
  const isKept = minor === '1' && !/\bclose\b/i.test(headers['connection'] ?? '')
  return {statusCode: Number(status), headers, isKept}
}
