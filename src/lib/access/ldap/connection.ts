import {Client, ResultCodeError} from 'ldapts'
import {once} from 'node:events'
import {connect, isIP, type Socket} from 'node:net'
import {connect as connectTls} from 'node:tls'
import type {LinkSettings, Place} from './settings.js'

/** The connection is of no use any more: nothing came in time, it was closed, or what came was no LDAP. */
export class ConnectionBroken extends Error {
  constructor(
    readonly place: Place,
    /** `late`: the other side is silent. `plain`: it has no StartTLS. */
    readonly reason: 'late' | 'lost' | 'refused' | 'plain',
    cause?: unknown,
  ) {
    super(`${place.url}: ${reason}`, {cause})
  }
}

/** A connection to a directory server, for as long as it works. ldapts would open another one on its own: never here. */
export class DirectoryConnection {
  #broken = false

  private constructor(
    readonly place: Place,
    private readonly client: Client,
    private readonly socket: Socket,
    private readonly timeoutMs: number,
  ) {
    socket.once('close', () => (this.#broken = true))
  }

  /** @throws {ConnectionBroken} */
  static async open(place: Place, {startTls, tls, timeoutMs}: LinkSettings): Promise<DirectoryConnection> {
    const identity = isIP(place.host) === 0 ? {host: place.host, servername: place.host} : {host: place.host}
    const socket =
      place.path !== undefined
        ? connect(place.path)
        : place.tls
          ? connectTls({...tls, ...identity, port: place.port})
          : connect({host: place.host, port: place.port})
    socket.on('error', () => undefined) // it is heard of by the operations
    try {
      await once(socket, place.tls ? 'secureConnect' : 'connect', {signal: AbortSignal.timeout(timeoutMs)})
    } catch (error) {
      socket.destroy()
      const late = error instanceof Error && error.name === 'AbortError'
      throw new ConnectionBroken(place, late ? 'late' : 'refused', error)
    }
    socket.setKeepAlive(true, 30_000).setNoDelay(true)
    let taken = false
    const take = (): Socket => {
      if (taken) throw new Error('the connection was closed')
      taken = true
      return socket
    }
    const client = new Client({url: 'ldap://directory', createConnection: take})
    const connection = new DirectoryConnection(place, client, socket, timeoutMs)
    if (startTls && !place.tls && place.path === undefined) {
      try {
        await connection.run(() => client.startTLS({...tls, ...identity}))
      } catch (error) {
        connection.close()
        throw error instanceof ResultCodeError ? new ConnectionBroken(place, 'plain', error) : error
      }
    }
    return connection
  }

  get isOpen(): boolean {
    return !this.#broken && !this.socket.destroyed
  }

  /**
   * Does something with the server, several things at a time if asked.
   * @throws {ResultCodeError} for what the server answers; the connection can be used further.
   * @throws {ConnectionBroken} for everything else; then it is closed.
   */
  async run<T>(work: (client: Client) => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new ConnectionBroken(this.place, 'late')), this.timeoutMs)
    })
    try {
      return await Promise.race([work(this.client), late])
    } catch (error) {
      if (error instanceof ResultCodeError) throw error
      this.#broken = true
      this.socket.destroy()
      throw error instanceof ConnectionBroken ? error : new ConnectionBroken(this.place, 'lost', error)
    } finally {
      clearTimeout(timer)
    }
  }

  /** Says good-bye where there is somebody to hear it. */
  close(): void {
    if (!this.isOpen) return
    this.#broken = true
    void this.client
      .unbind()
      .catch(() => undefined)
      .finally(() => this.socket.destroy())
  }
}
