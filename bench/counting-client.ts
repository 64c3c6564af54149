import {once} from 'node:events'
import {connect, type Socket} from 'node:net'

/** Bytes. */
const bufferSize = 1024 * 1024

/**
 * Asks for one address again and again, over one connection, and counts the bytes of the answers. Node's own client makes
 * a buffer of every 64 KB that come, and so takes longer for 3 MB than a server.
 */
export class CountingClient implements Disposable {
  #head = ''
  /** Bytes of the body that are still to come. Undefined while its length is not known. */
  #left: number | undefined
  #answered: ((status: number) => void) | undefined
  readonly #request: string

  private constructor(
    private readonly socket: Socket,
    url: URL,
    headers: Record<string, string>,
  ) {
    const lines = Object.entries({host: url.host, ...headers}).map(([name, value]) => `${name}: ${value}`)
    this.#request = `GET ${url.pathname} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
  }

  static async open(address: string, headers: Record<string, string>): Promise<CountingClient> {
    const url = new URL(address)
    const buffer = Buffer.allocUnsafe(bufferSize)
    const onread = {
      buffer,
      callback: (count: number) => {
        client.#take(buffer.subarray(0, count))
        return true
      },
    }
    const socket = connect({host: url.hostname, port: Number(url.port), onread}).setNoDelay(true)
    const client = new CountingClient(socket, url, headers)
    await once(socket, 'connect')
    return client
  }

  /** Until the last byte of an answer with Content-Length. @throws unless its status is 200. */
  async get(): Promise<void> {
    const status = await new Promise<number>((answered, failed) => {
      this.#answered = answered
      this.socket.once('close', failed)
      this.socket.write(this.#request)
    })
    this.socket.removeAllListeners('close')
    if (status !== 200) throw new Error(String(status))
  }

  #take(bytes: Buffer): void {
    if (this.#left === undefined) {
      const before = this.#head.length
      this.#head += bytes.toString('latin1')
      const end = this.#head.indexOf('\r\n\r\n')
      if (end === -1) return
      const length = Number(/^content-length: (\d+)/im.exec(this.#head.slice(0, end))?.[1])
      this.#left = length + end + 4 - before
    }
    this.#left -= bytes.length
    if (this.#left > 0) return
    const status = Number(this.#head.split(' ')[1])
    this.#head = ''
    this.#left = undefined
    this.#answered?.(status)
  }

  [Symbol.dispose](): void {
    this.socket.destroy()
  }
}
