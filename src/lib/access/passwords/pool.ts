import {availableParallelism} from 'node:os'
import type {Piscina} from 'piscina'
import {Unavailable} from '../../errors.js'
import type {PasswordTask} from './worker.js'

/** More than this many waiting verifications are refused: they would be answered after their clients have gone. */
const maxQueue = 500

let pool: Promise<Piscina<PasswordTask, string | boolean>> | undefined

/** Whether something has been verified before, as a server does and most commands don't. */
export const isPoolStarted = (): boolean => pool !== undefined

const openPool = async (): Promise<Piscina<PasswordTask, string | boolean>> => {
  const {Piscina} = await import('piscina')
  return new Piscina<PasswordTask, string | boolean>({
    filename: new URL('./worker.js', import.meta.url).href,
    minThreads: 0,
    maxThreads: Math.min(4, availableParallelism()),
    idleTimeout: 30_000,
    maxQueue,
    niceIncrement: 5, // whoever waits for no hash is answered first
  })
}

/** @throws {Unavailable} when too many wait already. */
export async function runInPool(task: PasswordTask): Promise<string | boolean> {
  pool ??= openPool()
  const threads = await pool
  if (threads.queueSize >= maxQueue) {
    throw new Unavailable('too many log-ins wait to be verified', {hint: 'Try again in a few seconds.'})
  }
  return threads.run(task)
}
