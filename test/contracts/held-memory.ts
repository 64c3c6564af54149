import {setFlagsFromString} from 'node:v8'
import {runInNewContext} from 'node:vm'

const lookEvery = 4 << 20 // bytes

/**
 * How much more memory is held than at first, while bytes pass by. Held is what something still refers to. What the process
 * occupies says less: V8 lets some 64 MB of buffers that nobody needs any more pile up before it frees them.
 */
export class HeldMemory {
  readonly #collect = collector()
  readonly #first = this.#now()
  #passed = 0
  #peak = 0

  /** To be told of all bytes on their way. */
  passed(bytes: number): void {
    const before = this.#passed
    this.#passed += bytes
    if (Math.floor(before / lookEvery) === Math.floor(this.#passed / lookEvery)) return
    this.#peak = Math.max(this.#peak, this.#now() - this.#first)
  }

  /** Bytes. */
  get peak(): number {
    return this.#peak
  }

  #now(): number {
    this.#collect()
    const {heapUsed, arrayBuffers} = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
}

/** V8's own, whether or not node was started with --expose-gc. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}
