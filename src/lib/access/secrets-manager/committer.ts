import {setTimeout as sleep} from 'node:timers/promises'
import {Conflict} from '../../errors.js'
import type {Blob} from './blob.js'
import {parseBlob, type CurrentRules} from './current.js'
import {checkSize} from './failures.js'
import type {Secret} from './secret.js'

/** How often a change is made again upon what another has written meanwhile. Each time costs a version. */
const maxAttempts = 12

interface Job {
  /** Changes the rules. What it throws is the answer of this job alone. */
  readonly change: (blob: Blob) => unknown
  readonly resolve: (result: unknown) => void
  readonly reject: (error: unknown) => void
}

/**
 * Makes changes on what is current, one version after the other. Changes that come while one is being written go together
 * into the next version, because AWS keeps a hundred of them and each for a day.
 */
export class Committer {
  #waiting: Job[] = []
  #running: Promise<void> | undefined

  constructor(
    private readonly secret: Secret,
    private readonly current: CurrentRules,
  ) {}

  /**
   * What `change` returns, when it is written durably. It runs again upon every new state, and changes nothing if it throws.
   * @throws {Conflict} when others changed the secret each time
   * @throws {StorageFailed} when the rules would be too large
   */
  commit<T>(change: (blob: Blob) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({change, resolve: resolve as (result: unknown) => void, reject})
      this.#running ??= this.#run()
    })
  }

  /** When nothing is being written. */
  async settled(): Promise<void> {
    while (this.#running) await this.#running
  }

  async #run(): Promise<void> {
    while (this.#waiting.length > 0) {
      const jobs = this.#waiting.splice(0)
      try {
        for (const answer of await this.#write(jobs)) answer()
      } catch (error) {
        for (const {reject} of jobs) reject(error)
      }
    }
    this.#running = undefined // in the same step as the last look at what waits, or a job could wait for ever
  }

  async #write(jobs: readonly Job[]): Promise<(() => void)[]> {
    for (let attempt = 1; attempt <= maxAttempts; attempt++) {
      const seen = await this.secret.read()
      const before = parseBlob(seen, this.secret).format()
      const {text, answers} = this.#apply(jobs, before)
      if (text === before) return answers
      if (await this.secret.replace(seen, text)) {
        this.current.noteWrite()
        return answers
      }
      await sleep(Math.random() * 50 * attempt) // at random, so that two don't meet again
    }
    const {place, secret} = this.secret.origin
    throw new Conflict(
      `${place('auth.secret_id')}: ${secret} was changed by others ${maxAttempts} times in a row, so nothing was written: try again`,
    )
  }

  /** Each job upon the result of the one before it. One that fails, or makes too much of it, is left out. */
  #apply(jobs: readonly Job[], before: string): {text: string; answers: (() => void)[]} {
    let text = before
    const answers = jobs.map(({change, resolve, reject}) => {
      try {
        const blob = parseBlob({id: '', text}, this.secret)
        const hadAdmin = blob.hadAdmin
        const result = change(blob)
        if (hadAdmin && blob.admins.length === 0) blob.markAdmin() // before the last one goes (RULES 30)
        const changed = blob.format()
        if (changed !== text) checkSize(changed, this.secret.origin)
        text = changed
        return () => resolve(result)
      } catch (error) {
        return () => reject(error)
      }
    })
    return {text, answers}
  }
}
