import {randomUUID} from 'node:crypto'
import type {Cache, Lock} from '../../cache/cache.js'
import {PpcError} from '../../errors.js'
import type {RebuildOptions, RebuildProgress, RebuildReport} from './options.js'

const stateKey = 'rebuild'
const writeEveryMs = 1000
/** How often a run writes that does not get on. */
const beatEveryMs = 5000
/** A run that writes nothing for so long has lost its process. */
const silentForMs = 60_000

/** What every process can read of the last rebuild of a cache, whoever started it. */
export interface RunState {
  readonly id: string
  readonly state: 'running' | 'done' | 'failed'
  readonly mode: 'full' | 'incremental'
  /** Host, process and command. */
  readonly owner: string
  /** RFC 3339, by the clock of the owner. */
  readonly started: string
  /** When this was written: every few seconds. */
  readonly updated: string
  readonly listed: number
  readonly changed: number
  /** Rows looked through for files that are gone, once everything is listed. */
  readonly checked: number
  /** Only these were looked at. */
  readonly projects?: readonly string[]
  /** Files that the last whole run listed: about what this one has to. */
  readonly expected?: number
  /** One sentence. */
  readonly error?: string
  readonly report?: RunCounts
}

/** Without the lists, which may be long. */
export type RunCounts = Omit<RebuildReport, 'oddities' | 'sealed'>

/** Tells of the last run, again and again, and knows from a long silence which one was killed. */
export class RunWatch {
  #last: {readonly run: RunState; readonly since: number} | undefined

  constructor(private readonly cache: Cache) {}

  /** Undefined where none is known of. */
  async read(): Promise<RunState | undefined> {
    const run = await readRun(this.cache)
    if (run?.state !== 'running') return run
    // by the clock of this process alone: that of the owner may be another machine's
    if (this.#last?.run.id !== run.id || this.#last.run.updated !== run.updated) {
      this.#last = {run, since: performance.now()}
    }
    if (performance.now() - this.#last.since < silentForMs) return run
    return {...run, state: 'failed', error: 'nothing was heard of it for a minute: it was probably killed'}
  }
}

/** Undefined where none is known of. A run that was killed reads as `running` until the next one starts. */
export async function readRun(cache: Cache): Promise<RunState | undefined> {
  const text = await cache.getState(stateKey)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as RunState
  } catch {
    return undefined // cut off by some other program
  }
}

/** Writes into the cache how far a run is, under its lock. That it can't is no reason for the run to stop. */
export class PublishedRun {
  #state: RunState
  #progress: RebuildProgress = {listed: 0, changed: 0, checked: 0}
  /** The one that is under way. */
  #writing: Promise<void> | undefined
  /** There is something to tell that the one under way does not. */
  #isBehind = false
  #hasMoved = false
  #writtenAt = performance.now()

  constructor(
    private readonly cache: Cache,
    private readonly lock: Lock,
    {owner, full, projects}: RebuildOptions,
  ) {
    const started = new Date().toISOString()
    this.#state = {
      id: randomUUID(),
      state: 'running',
      mode: full ? 'full' : 'incremental',
      owner,
      ...(projects && {projects: [...projects]}),
      started,
      updated: started,
      listed: 0,
      changed: 0,
      checked: 0,
    }
  }

  get state(): RunState {
    return this.#state
  }

  /** For every object: writes nothing yet. @returns the same, and what is known of how much is to come. */
  update({listed, changed, checked}: RebuildProgress): RebuildProgress {
    this.#progress = {listed, changed, checked, expected: this.#state.expected} // spread, it would take ten times as long
    this.#hasMoved = true
    return this.#progress
  }

  /** Tells that it runs. */
  async begin(): Promise<void> {
    this.#write(await this.#expectation())
    await this.#writing
  }

  /** Does `work`, and then tells how it ended. */
  async follow(work: () => Promise<RebuildReport>): Promise<RebuildReport> {
    const timer = setInterval(() => {
      if (this.#hasMoved || performance.now() - this.#writtenAt >= beatEveryMs) this.#write({})
    }, writeEveryMs)
    try {
      const report = await work()
      this.#write({state: 'done', report: withoutLists(report)})
      return report
    } catch (error) {
      this.#write({state: 'failed', error: reasonOf(error)})
      throw error
    } finally {
      clearInterval(timer)
      await this.#writing
    }
  }

  async #expectation(): Promise<Pick<RunState, 'expected'>> {
    if (this.#state.projects) return {}
    const last = await readRun(this.cache).catch(() => undefined)
    const expected = last?.state === 'done' && !last.projects ? last.listed : last?.expected
    return expected === undefined ? {} : {expected}
  }

  #write(change: Partial<RunState>): void {
    this.#writtenAt = performance.now()
    this.#hasMoved = false
    const {listed, changed, checked} = this.#progress
    this.#state = {...this.#state, listed, changed, checked, ...change, updated: new Date().toISOString()}
    this.#isBehind = true
    this.#writing ??= this.#catchUp()
  }

  /** A cache that takes longer than what there is to tell gets the last of it alone. */
  async #catchUp(): Promise<void> {
    while (this.#isBehind) {
      this.#isBehind = false
      const text = JSON.stringify(this.#state)
      await this.cache.setState(stateKey, text, {lock: this.lock}).catch(() => undefined)
    }
    this.#writing = undefined
  }
}

const withoutLists = (report: RebuildReport): RunCounts =>
  Object.fromEntries(
    Object.entries(report).filter(([key]) => key !== 'oddities' && key !== 'sealed'),
  ) as unknown as RunCounts

/** A bug's own words would help nobody. */
function reasonOf(error: unknown): string {
  const isOurs = error instanceof PpcError || (error instanceof Error && error.name === 'AbortError')
  return isOurs ? error.message : 'it broke off: its own output says why'
}
