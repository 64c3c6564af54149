import type {PasswordScheme} from './scheme.js'
import {findScheme, schemes} from './schemes.js'

/** What a thread of the pool is asked to do. */
export type PasswordTask =
  | {
      readonly kind: 'hash'
      readonly scheme: PasswordScheme
      readonly password: string
      readonly rounds: number
    }
  | {readonly kind: 'verify'; readonly password: string; readonly hash: string}

/** Runs in a thread of the pool, or in the caller's where one hash is all that a command makes. */
export default async function work(task: PasswordTask): Promise<string | boolean> {
  if (task.kind === 'hash') return schemes[task.scheme].hash(task.password, task.rounds)
  return (await findScheme(task.hash)?.verify(task.password, task.hash)) ?? false
}
