/** What a fault proxy does to a request instead of passing it on unharmed. */
export type Fault =
  /** Passes it on after this long. */
  | {readonly kind: 'delay'; readonly ms: number}
  /** Passes it on when that has happened. */
  | {readonly kind: 'hold'; readonly until: Promise<unknown>}
  /** Answers itself; the target never hears of the request. */
  | {
      readonly kind: 'answer'
      readonly status: number
      readonly headers?: Readonly<Record<string, string>>
      readonly body?: string
    }
  /** Resets the connection: without `afterBytes` before the target hears of it, else after so many bytes of the answer's body. */
  | {readonly kind: 'reset'; readonly afterBytes?: number}
  /** Closes the connection in an orderly way after so many bytes of the answer's body. */
  | {readonly kind: 'truncate'; readonly afterBytes: number}
  /** Resets both connections after so many bytes of the request's body. */
  | {readonly kind: 'cut-upload'; readonly afterBytes: number}
  /** Lets the target do it all, and resets the connection instead of giving the answer. */
  | {readonly kind: 'lose-answer'}
  /** Never answers, and the target never hears of it. */
  | {readonly kind: 'hang'}

/** What the proxy has seen, in order of arrival. */
export interface SeenRequest {
  readonly method: string
  /** With the query. */
  readonly path: string
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** `performance.now()` when its head had arrived. */
  readonly at: number
  /** What was done to it; none: it was passed on. */
  readonly fault?: Fault['kind']
}

/** Which requests a fault is for: those that everything given here agrees with. */
export interface FaultRule {
  readonly fault: Fault
  readonly method?: string
  /** Is part of the path with its query, or matches it. */
  readonly path?: string | RegExp
  readonly when?: (request: SeenRequest) => boolean
  /** Only the n-th of the requests that the conditions above agree with, counted from 1. */
  readonly nth?: number
  /** Only the first n of them. */
  readonly first?: number
  /** Only the first n of each method and path. */
  readonly firstOfEach?: number
  /** Every n-th of them. */
  readonly every?: number
  /** Between 0 and 1: each of them with this probability. */
  readonly probability?: number
}

/** An error as S3 puts it: `s3Error(503, 'SlowDown')`. */
export function s3Error(status: number, code: string, message = code): Fault {
  const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message><RequestId>TEST</RequestId></Error>`
  return {kind: 'answer', status, headers: {'Content-Type': 'application/xml'}, body}
}

/** Chooses the fault of a request: of the first rule that is for it. Counts for `nth` and the like, so there is one a proxy. */
export class FaultChooser {
  /** How many requests each rule's conditions have agreed with. */
  readonly #counts = new WeakMap<FaultRule, number>()
  /** The same of each method and path. */
  readonly #countsOfEach = new WeakMap<FaultRule, Map<string, number>>()
  readonly #random: () => number

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  choose(rules: readonly FaultRule[], request: SeenRequest): Fault | undefined {
    // Every rule counts every request of its own, so that rules don't depend on their order more than they must.
    return rules.filter(rule => this.#isFor(rule, request))[0]?.fault
  }

  #isFor(rule: FaultRule, request: SeenRequest): boolean {
    const {method, path, when} = rule
    if (method !== undefined && method !== request.method) return false
    if (typeof path === 'string' && !request.path.includes(path)) return false
    if (path instanceof RegExp && !path.test(request.path)) return false
    if (when !== undefined && !when(request)) return false
    const count = (this.#counts.get(rule) ?? 0) + 1
    this.#counts.set(rule, count)
    if (rule.nth !== undefined && count !== rule.nth) return false
    if (rule.first !== undefined && count > rule.first) return false
    if (rule.firstOfEach !== undefined && this.#countOfEach(rule, request) > rule.firstOfEach) return false
    if (rule.every !== undefined && count % rule.every !== 0) return false
    return rule.probability === undefined || this.#random() < rule.probability
  }

  #countOfEach(rule: FaultRule, {method, path}: SeenRequest): number {
    const counts = this.#countsOfEach.get(rule) ?? new Map<string, number>()
    const count = (counts.get(`${method} ${path}`) ?? 0) + 1
    this.#countsOfEach.set(rule, counts.set(`${method} ${path}`, count))
    return count
  }
}

/** The same numbers from the same seed, between 0 and 1: the mulberry32 generator. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
