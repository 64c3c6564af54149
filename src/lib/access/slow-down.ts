import {createHash} from 'node:crypto'
import {isIPv6} from 'node:net'
import {ExitCode, PpcError} from '../errors.js'
import {growingLru} from '../growing-lru.js'

/** Wrong passwords in a row that cost nothing: people mistype. */
const freeFailures = 5
const firstWaitMs = 1000
const longestWaitMs = 5 * 60_000
const forgottenAfterMs = 15 * 60_000
/** Pairs of a user and an address, in each process. */
const maxPairs = 20_000

/** Refused without a look at the password: wait. */
export class TooManyAttempts extends PpcError {
  readonly code = 'PPC_TOO_MANY_ATTEMPTS'
  override readonly exitCode = ExitCode.failed
  override readonly statusCode = 429

  /** @param retryAfterSeconds whole, at least 1 */
  constructor(readonly retryAfterSeconds: number) {
    super(`too many wrong passwords: try again in ${retryAfterSeconds} s`)
  }
}

/** A log-in that is being verified: exactly one of these is called. */
export interface Attempt {
  succeeded(): void
  failed(): void
  /** It could not be found out. */
  cancelled(): void
}

/** What one process tells the others of its host. `pair` is a digest. */
export interface LoginNews {
  readonly pair: string
  readonly failed: boolean
}

interface Count {
  failures: number
  running: number
  /** Until when no password is looked at, by the monotonic clock. */
  until: number
}

/**
 * Slows guessing down, by user and address together: others, elsewhere, get in meanwhile (RULES 32). After five wrong
 * passwords each further one costs a wait, of one second first and then of twice as long, up to five minutes; a right
 * one, or a quarter of an hour without a wrong one, ends that. Memory is bounded; what the processes of other hosts see
 * is not known here.
 */
export class SlowDown {
  readonly #counts = growingLru<Count>(maxPairs, {ttl: forgottenAfterMs})
  #tell: (news: LoginNews) => void = () => undefined

  /** Calls `tell` with what the other processes of this host must `hear`. */
  shareWith(tell: (news: LoginNews) => void): void {
    this.#tell = tell
  }

  hear({pair, failed}: LoginNews): void {
    if (failed) this.#countFailure(pair)
    else this.#counts.delete(pair)
  }

  /** @param address of the client, as it is to be believed. @throws {TooManyAttempts} */
  begin(username: string, address: string): Attempt {
    const pair = pairOf(username, address)
    const count = this.#counts.get(pair)
    const waitMs = (count?.until ?? 0) - performance.now()
    if (waitMs > 0) throw new TooManyAttempts(Math.ceil(waitMs / 1000))
    // Guesses at the same time count as wrong until they are known to be right.
    if (count && count.running > 0 && count.failures + count.running >= freeFailures)
      throw new TooManyAttempts(1)
    this.#change(pair, each => (each.running += 1))
    const end = (): void => this.#change(pair, each => (each.running = Math.max(0, each.running - 1)))
    return {
      succeeded: () => {
        if ((this.#counts.get(pair)?.failures ?? 0) > 0) this.#tell({pair, failed: false})
        this.#counts.delete(pair)
      },
      failed: () => {
        end()
        this.#countFailure(pair)
        this.#tell({pair, failed: true})
      },
      cancelled: end,
    }
  }

  #countFailure(pair: string): void {
    this.#change(pair, count => {
      count.failures += 1
      const beyond = count.failures - freeFailures
      if (beyond >= 0) count.until = performance.now() + Math.min(firstWaitMs * 2 ** beyond, longestWaitMs)
    })
  }

  #change(pair: string, change: (count: Count) => void): void {
    const count = this.#counts.get(pair) ?? {failures: 0, running: 0, until: 0}
    change(count)
    this.#counts.set(pair, count)
  }
}

/** Names may be long. */
const pairOf = (username: string, address: string): string =>
  createHash('sha256')
    .update(`${networkOf(address)}\0${username}`)
    .digest('base64url')

/** An IPv6 customer has 2^64 addresses: their network counts as one. */
export function networkOf(address: string): string {
  const plain = address
    .toLowerCase()
    .replace(/^::ffff:(?=\d+\.)/, '')
    .replace(/%.*$/, '')
  if (!isIPv6(plain)) return plain
  const [head = '', tail = ''] = plain.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (plain.includes('::')) {
    const rest = tail === '' ? 0 : tail.split(':').length
    while (groups.length < 8 - rest) groups.push('0')
    groups.push(...(tail === '' ? [] : tail.split(':')))
  }
  return groups
    .slice(0, 4)
    .map(group => group.replace(/^0+(?=.)/, ''))
    .join(':')
}
