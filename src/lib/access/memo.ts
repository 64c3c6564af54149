import type {LRUCache} from 'lru-cache'
import {growingLru} from '../growing-lru.js'

/** What was read while the change token was the same; a new token forgets all of it. Bounded. */
export class Memo<V extends object> {
  readonly #values: LRUCache<string, V>
  readonly #reading = new Map<string, Promise<V>>()
  #token: string | undefined

  constructor(max: number) {
    this.#values = growingLru(max)
  }

  /**
   * The value, at once if it is known; several that ask at the same time share one `read`.
   * @param keep whether the value may be remembered
   */
  get(
    token: string,
    key: string,
    read: () => Promise<V>,
    keep: (value: V) => boolean = () => true,
  ): V | Promise<V> {
    if (token !== this.#token) {
      this.#token = token
      this.#values.clear()
      this.#reading.clear()
    }
    const known = this.#values.get(key) ?? this.#reading.get(key)
    if (known) return known
    const reading = this.#read(token, key, read, keep)
    this.#reading.set(key, reading)
    return reading
  }

  async #read(token: string, key: string, read: () => Promise<V>, keep: (value: V) => boolean): Promise<V> {
    try {
      const value = await read()
      // read under an older token, it may be older than what is there now
      if (token === this.#token && keep(value)) this.#values.set(key, value)
      return value
    } finally {
      if (token === this.#token) this.#reading.delete(key)
    }
  }
}

/** Goes on at once where the value is there. */
export function whenReady<T, R>(value: T | Promise<T>, next: (value: T) => R | Promise<R>): R | Promise<R> {
  return value instanceof Promise ? value.then(next) : next(value)
}
