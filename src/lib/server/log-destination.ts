import {closeSync, openSync, writeSync} from 'node:fs'

/** Lines are collected up to this many characters. */
const batchLength = 32 * 1024
/** How often a pipe that is full is tried, 10 ms apart, before its lines are dropped. */
const attempts = 20

/**
 * Where pino writes: a file, or stderr without one. Not pino's own, whose `flushSync` tries for ever when the disk is
 * full or the reader went away, and the server with it. Here such lines are lost and the server goes on.
 */
export class LogDestination {
  #fd: number
  #waiting = ''

  constructor(private readonly file: string | undefined) {
    this.#fd = LogDestination.#open(file)
  }

  static #open(file: string | undefined): number {
    return file === undefined ? 2 : openSync(file, 'a', 0o640)
  }

  write(line: string): void {
    this.#waiting += line
    if (this.#waiting.length >= batchLength) this.flush()
  }

  flush(): void {
    let rest = Buffer.from(this.#waiting)
    this.#waiting = ''
    for (let attempt = 1; rest.length > 0 && attempt <= attempts; attempt += 1) {
      try {
        rest = rest.subarray(writeSync(this.#fd, rest))
      } catch (error) {
        if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) return
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
      }
    }
  }

  /** After a log rotation: goes on in the file of that name, or in the old one when that can't be opened. */
  reopen(): void {
    this.flush()
    if (this.file === undefined) return
    const before = this.#fd
    try {
      this.#fd = LogDestination.#open(this.file)
    } catch {
      return
    }
    closeSync(before)
  }
}
