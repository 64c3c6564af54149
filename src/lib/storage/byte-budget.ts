/**
 * How many bytes may be buffered at the same time, whoever buffers them: many small uploads run side by side, few large
 * ones do. Takers are served in the order in which they came.
 */
export class ByteBudget {
  #free: number
  readonly #total: number
  readonly #waiting: {readonly bytes: number; readonly start: () => void}[] = []

  constructor(bytes: number) {
    this.#total = bytes
    this.#free = bytes
  }

  /** Waits until `bytes` are free. More than the whole budget counts as the whole. @returns what gives them back, once. */
  async take(bytes: number, signal?: AbortSignal): Promise<() => void> {
    const wanted = Math.min(bytes, this.#total)
    if (this.#waiting.length > 0 || wanted > this.#free) await this.#turn(wanted, signal)
    else this.#free -= wanted
    let isTaken = true
    return () => {
      if (!isTaken) return
      isTaken = false
      this.#free += wanted
      this.#serve()
    }
  }

  #turn(bytes: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = {
        bytes,
        start: () => {
          signal?.removeEventListener('abort', giveUp)
          resolve()
        },
      }
      const giveUp = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1)
        this.#serve() // it may have been first in the queue, and too large for what is free
        reject(signal?.reason as Error)
      }
      signal?.throwIfAborted()
      signal?.addEventListener('abort', giveUp, {once: true})
      this.#waiting.push(waiting)
    })
  }

  #serve(): void {
    for (let next = this.#waiting[0]; next && next.bytes <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift()
      this.#free -= next.bytes
      next.start()
    }
  }
}
