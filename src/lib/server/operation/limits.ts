import type {FastifyInstance} from 'fastify'
import {LRUCache} from 'lru-cache'
import {networkOf} from '../../access/slow-down.js'
import type {Context} from '../context.js'
import {HttpError} from '../http/errors.js'

/** Addresses or users that are remembered. */
const mostKeys = 50_000

/** So many requests a minute for each key, in any rhythm: whoever was silent may make them all at once. */
export class RateLimit {
  readonly #seen = new LRUCache<string, {left: number; at: number}>({max: mostKeys, ttl: 60_000})

  constructor(private readonly perMinute: number) {}

  /** @throws {HttpError} 429 with the seconds until the next one. */
  take(key: string): void {
    const now = performance.now()
    const before = this.#seen.get(key) ?? {left: this.perMinute, at: now}
    const left = Math.min(this.perMinute, before.left + ((now - before.at) / 60_000) * this.perMinute)
    if (left < 1) {
      this.#seen.set(key, {left, at: now})
      const seconds = Math.ceil(((1 - left) / this.perMinute) * 60)
      throw new HttpError(429, `More than ${this.perMinute} requests in a minute: go on in ${seconds} s`, {
        headers: {'retry-after': String(seconds)},
      })
    }
    this.#seen.set(key, {left: left - 1, at: now})
  }
}

/** What the config says of requests a minute; without a limit, nothing is counted. */
export class Limits {
  readonly #address: RateLimit | undefined
  readonly #user: RateLimit | undefined

  constructor(settings: {
    readonly addressPerMinute: number | undefined
    readonly userPerMinute: number | undefined
  }) {
    this.#address =
      settings.addressPerMinute === undefined ? undefined : new RateLimit(settings.addressPerMinute)
    this.#user = settings.userPerMinute === undefined ? undefined : new RateLimit(settings.userPerMinute)
  }

  get countsAddresses(): boolean {
    return this.#address !== undefined
  }
  get countsUsers(): boolean {
    return this.#user !== undefined
  }
  /** @throws {HttpError} 429 */
  takeAddress(address: string): void {
    this.#address?.take(networkOf(address))
  }
  /** @throws {HttpError} 429 */
  takeUser(username: string): void {
    this.#user?.take(username)
  }
}

/** Counts each request by its address. Probes are never refused: the server would be taken for dead. */
export function limitAddresses(app: FastifyInstance, {limits, address}: Context): void {
  if (!limits.countsAddresses) return
  app.addHook('onRequest', (request, _reply, done) => {
    try {
      if (request.routeOptions.config.row?.isProbe !== true) limits.takeAddress(address.client(request))
      done()
    } catch (error) {
      done(error as Error)
    }
  })
}
