import type {Agent} from 'node:http'
import {isIP, type Socket} from 'node:net'
import type {Connections} from './agents.js'
import type {Address} from './object-url.js'
import type {SignedRequest} from './quick-connection.js'
import {SmallAnswerReader, type SmallAnswer, type SmallMethod} from './small-answer.js'

/** GET only of what is expected to be small. */
export interface SmallRequest extends SignedRequest {
  readonly method: SmallMethod
}

interface Question {
  /** The request as it is sent. */
  readonly text: string
  readonly reader: SmallAnswerReader
  resolve(answer: SmallAnswer): void
  reject(error: Error): void
}

type Limits = Pick<Connections, 'connectionTimeout' | 'socketTimeout'>

/**
 * Connections to one service without a proxy in between, on which nothing is asked but what has a small answer. Such an answer
 * needs none of the streams, events and timers of node:http, which are most of what a rebuild or a migration does for an object.
 * A connection that breaks, or brings another answer, takes one question along, and is opened anew for the next one.
 */
export class DirectConnections {
  readonly #open = new Set<DirectConnection>()
  readonly #idle: DirectConnection[] = []
  readonly #waiting: Question[] = []

  constructor(
    /** Opens them; one of node:https, too, has its options. */
    private readonly agent: Agent & {readonly options?: object},
    private readonly address: Pick<Address, 'hostname' | 'port' | 'protocol'>,
    private readonly limits: Limits,
  ) {}

  /** @throws what the connection does, or an Error about the request or the answer */
  ask(request: SmallRequest): Promise<SmallAnswer> {
    return new Promise((resolve, reject) => {
      const text = formatRequest(request)
      const question = {text, reader: new SmallAnswerReader(request.method), resolve, reject}
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

  #connect(): DirectConnection {
    const {hostname, port, protocol} = this.address
    const host = hostname.replace(/^\[|\]$/g, '')
    const options = {
      ...this.agent.options,
      host,
      port: port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port),
      servername: isIP(host) === 0 ? host : '',
    }
    const socket = this.agent.createConnection(options) as Socket
    const connection: DirectConnection = new DirectConnection(socket, this.limits, {
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

class DirectConnection {
  #question: Question | undefined

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
    if (!this.#question) {
      this.destroy() // nothing was asked
      return
    }
    const {reader, resolve} = this.#question
    let answer: SmallAnswer | undefined
    try {
      answer = reader.take(chunk)
    } catch (error) {
      this.destroy(error as Error)
      return
    }
    if (!answer) return
    this.#question = undefined
    resolve(answer)
    if (!reader.isKept) {
      this.destroy()
      return
    }
    this.socket.unref() // an idle connection keeps no process from ending
    this.on.free()
  }
}

function formatRequest({method, address, headers}: SmallRequest): string {
  let text = `${method} ${address.pathname}${address.search} HTTP/1.1\r\n`
  for (const name in headers) {
    const value = headers[name] ?? ''
    if (/[^\t -\xff]/.test(value)) throw new Error(`the header ${name} can't be sent`)
    text += `${name}: ${value}\r\n`
  }
  return `${text}\r\n`
}
