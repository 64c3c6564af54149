import {setImmediate as nextTurn} from 'node:timers/promises'
import type {Knex} from 'knex'
import type {Database} from '../../sql/database.js'

type Work<T> = (transaction: Knex) => Promise<T>
interface Write {
  readonly work: Work<unknown>
  resolve(result: unknown): void
  reject(error: unknown): void
}

/** Of one transaction. */
const mostWrites = 64

/**
 * Commits in one transaction what several want to write at the same time: SQLite has one writer, and each commit waits for
 * the disk. Nobody is told of success before that, and who fails takes nobody along.
 */
export class GroupCommit {
  #waiting: Write[] = []
  #isRunning = false

  constructor(private readonly database: Pick<Database, 'transaction'>) {}

  /** As `Database.transaction`; `work` may run again, so that it has to read anew what it decides by. */
  run<T>(work: Work<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({work, resolve: result => resolve(result as T), reject})
      if (!this.#isRunning) void this.#commitAll()
    })
  }

  async #commitAll(): Promise<void> {
    this.#isRunning = true
    while (this.#waiting.length > 0) {
      await nextTurn() // those that are ready in this turn come along
      await this.#commit(this.#waiting.splice(0, mostWrites))
    }
    this.#isRunning = false
  }

  async #commit(writes: readonly Write[]): Promise<void> {
    const failed: Write[] = []
    try {
      const results = await this.database.transaction(async transaction => {
        const results: unknown[] = []
        for (const write of writes) {
          try {
            results.push(await write.work(transaction))
          } catch (error) {
            failed.push(write)
            throw error
          }
        }
        return results
      })
      for (const [index, write] of writes.entries()) write.resolve(results[index])
    } catch (error) {
      // without one to blame the database itself has failed
      for (const write of failed.length > 0 ? failed : writes) write.reject(error)
      if (failed.length > 0) this.#waiting.unshift(...writes.filter(write => !failed.includes(write)))
    }
  }
}
