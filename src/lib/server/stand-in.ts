import type {Worker} from 'node:cluster'
import {createServer, type Server, type Socket} from 'node:net'

/** What a worker is told beside a connection that is its own from then on. */
export interface HandedOver {
  readonly handedOver: true
}

/** Milliseconds: where workers die at each start, clients are refused after that rather than held up. */
const patience = 10_000
const mostWaiting = 1000
/** node:cluster gives the address free a moment after the death of its last worker. */
const againAfter = 10

/**
 * Listens while no worker does, since node:cluster stops listening when its last worker has died: clients wait for the
 * next one instead of being refused. It has to leave before that one listens, because one address takes one listener.
 */
export class StandIn {
  #server: Server | undefined
  readonly #waiting = new Set<Socket>()

  /** @param onListening that it does, for the log. */
  constructor(private readonly onListening: () => void) {}

  /** Listens as soon as it can. Without effect while it does. */
  begin(place: {readonly host: string; readonly port: number}): void {
    if (this.#server) return
    const server = createServer({pauseOnConnect: true, allowHalfOpen: true}, socket => this.#keep(socket))
    server.maxConnections = mostWaiting
    this.#server = server
    const listen = (): void => {
      if (this.#server === server) server.listen(place)
    }
    server.on('listening', () => {
      if (this.#server === server) this.onListening()
      else server.close()
    })
    server.on('error', () => setTimeout(listen, againAfter))
    setTimeout(() => {
      if (this.#server === server) this.leave()
    }, patience).unref()
    listen()
  }

  /** Somebody else can listen there at once. What has come goes on waiting. */
  leave(): void {
    if (this.#server?.listening) this.#server.close()
    this.#server = undefined
  }

  /** Gives it every connection that waits. */
  handTo(worker: Worker): void {
    if (!worker.isConnected()) return
    const message: HandedOver = {handedOver: true}
    for (const socket of this.#waiting) worker.send(message, socket)
    this.#waiting.clear()
  }

  /** Nobody will answer any more. */
  end(): void {
    this.leave()
    for (const socket of this.#waiting) socket.destroy()
    this.#waiting.clear()
  }

  #keep(socket: Socket): void {
    this.#waiting.add(socket)
    // also once it was handed over: that does nothing to it, unless the worker has died before it took it
    const timer = setTimeout(() => socket.destroy(), patience).unref()
    socket.on('error', () => undefined)
    socket.once('close', () => {
      clearTimeout(timer)
      this.#waiting.delete(socket)
    })
  }
}
