import {HostCounter} from '../host-counter.js'
import {growingLru} from '../growing-lru.js'

/** How old an answer of the server may be (RULES 9), and when the next is fetched beforehand. */
const freshMs = 1000
const refreshMs = 500
const namesKept = 10_000

/** What a database server can tell about changes, by whomever they were made. */
export interface ChangeSource {
  /** A text that differs after any commit on the whole server; it may also differ for no reason. Costs next to nothing. */
  readActivity(): Promise<string>
  /** A digest of what is watched, or of the rows of one name. */
  readState(name: string | undefined): Promise<string>
}

interface Activity {
  readonly text: string
  /** Monotonic time at which it was asked for. */
  readonly askedAt: number
  /** What the processes of this host had told each other by then. */
  readonly local: string
}
interface Known {
  /** The activity after which the state was read: while it is the same, so is the state. */
  activity: string
  state: string
  /** Of all states that came: one that comes back is not taken for one that never went. */
  number: number
}

/**
 * Change tokens without a counter of ours, which pypicloud would not count on. The server is asked at most once a second
 * whether anybody has committed anything; only then is what was asked for read again, a project by its index. Commits of
 * this host are noticed at once, by a file.
 */
export class ServerChanges implements Disposable {
  readonly #host: HostCounter
  readonly #known = growingLru<Known>(namesKept)
  readonly #reading = new Map<string, Promise<string>>()
  #activity: Activity | undefined
  #asking: {readonly local: string; readonly answer: Promise<Activity>} | undefined
  #ownWrites = 0
  #states = 0

  /** @param server the same text in every process: which database this is. */
  constructor(
    server: string,
    private readonly source: ChangeSource,
    /** Whether every commit counts as a change, also when the state is as before: see `Watched`. */
    private readonly everyCommit = false,
  ) {
    this.#host = new HostCounter(server)
  }

  /** No promise when the answer is known. */
  token(name: string | undefined): string | Promise<string> {
    const local = this.#local()
    const age = performance.now() - (this.#activity?.askedAt ?? -Infinity)
    if (this.#activity?.local !== local || age > freshMs) {
      return this.#ask(local).then(({text}) => this.#tokenAfter(text, name))
    }
    // those who ask often never wait: the next answer is on its way before this one is too old
    if (age > refreshMs && !this.#asking) {
      this.#ask(local).catch(() => undefined) // whoever comes when it is too old asks again, and hears of it
    }
    return this.#tokenAfter(this.#activity.text, name)
  }

  /**
   * For what is kept under a token: reads it together with its state, which tells whether it is what the token stands for.
   * Otherwise the token is never given again. A row that comes and goes within a second brings the same state back, and
   * what was read in between would be believed for ever.
   * @param reading both by one statement.
   */
  async read<T>(name: string | undefined, reading: () => Promise<{state: string; found: T}>): Promise<T> {
    const before = this.#activity?.text ?? ''
    const {state, found} = await reading()
    this.#keep(name, before, state)
    return found
  }

  /** To be called after every commit of ours. */
  noteWrite(): void {
    this.#ownWrites += 1 // without a file for the host, at least this process knows at once
    this.#host.bump(['all'])
  }

  [Symbol.dispose](): void {
    this.#host[Symbol.dispose]()
  }

  #local(): string {
    return `${this.#ownWrites} ${this.#host.read('all')}`
  }

  #ask(local: string): Promise<Activity> {
    if (this.#asking?.local === local) return this.#asking.answer // it was asked after the last write of this host
    const askedAt = performance.now()
    const answer = this.source.readActivity().then(text => {
      const activity = {text, askedAt, local}
      if (askedAt >= (this.#activity?.askedAt ?? -Infinity)) this.#activity = activity
      return activity
    })
    const asking = {local, answer}
    this.#asking = asking
    const done = () => {
      if (this.#asking === asking) this.#asking = undefined
    }
    answer.then(done, done)
    return answer
  }

  #tokenAfter(activity: string, name: string | undefined): string | Promise<string> {
    const known = this.#known.get(keyOf(name))
    if (known?.activity === activity) return tokenOf(known)
    const place = `${activity}\n${keyOf(name)}`
    const running = this.#reading.get(place)
    if (running) return running
    const reading = this.source
      .readState(name)
      .then(state => tokenOf(this.#keep(name, activity, state)))
      .finally(() => this.#reading.delete(place))
    this.#reading.set(place, reading)
    return reading
  }

  /** @param activity of before the state was read: what commits in between is in the state, and read once more for nothing. */
  #keep(name: string | undefined, activity: string, state: string): Known {
    const before = this.#known.get(keyOf(name))
    const isSame = before?.state === state && (before.activity === activity || !this.everyCommit)
    const known = {activity, state, number: isSame ? before.number : (this.#states += 1)}
    this.#known.set(keyOf(name), known)
    return known
  }
}

const keyOf = (name: string | undefined): string => (name === undefined ? 'all' : `:${name}`)
const tokenOf = ({state, number}: Known): string => `${state} ${number}`
