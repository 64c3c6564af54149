import {setTimeout as sleep} from 'node:timers/promises'
import type {Service} from '../services/index.js'
import {childrenOf, signalAll} from '../services/signal.js'
import type {Chance} from './chance.js'

/** What can be taken away from a server. */
export interface Victims {
  /** By what they are to the server: `cache`, `storage`. */
  readonly services: Readonly<Record<string, Victim>>
  /** The first process of each server whose workers are killed too. */
  readonly serverPids: readonly number[]
}

export interface Victim {
  readonly service: Service
  /** Whether it was started with `restarts` and keeps what it was given, so that it can be killed and not only frozen. */
  readonly mayDie: boolean
}

/** Kills and freezes until it is told to stop; then everything runs. Tells what it does. */
export async function disturb(
  {services, serverPids}: Victims,
  chance: Chance,
  stop: AbortSignal,
  tell: (what: string) => void,
): Promise<void> {
  const wait = (ms: number) => sleep(ms, undefined, {signal: stop}).catch(() => undefined)
  const isOver = () => stop.aborted
  while (!isOver()) {
    await wait(chance.between(500, 3000))
    if (isOver()) return
    const kind = chance.weighted({kill: 4, freeze: 3, worker: serverPids.length > 0 ? 2 : 0})
    const names = Object.keys(services)
    const name = names.length === 0 ? '' : chance.oneOf(names)
    const victim = services[name]
    if (kind === 'worker' || !victim) {
      if (serverPids.length === 0) continue
      const workers = await childrenOf(chance.oneOf(serverPids))
      if (workers.length === 0) continue
      tell('a worker is killed')
      await killTree(chance.oneOf(workers))
    } else if (kind === 'kill' && victim.mayDie) {
      const ms = chance.between(0, 2500)
      tell(`the ${name} is killed, and away for ${ms} ms`)
      await killService(victim.service, () => wait(ms))
    } else {
      const ms = chance.between(200, 4000)
      tell(`the ${name} is frozen for ${ms} ms`)
      await signalAll(victim.service.pid, 'SIGSTOP')
      await wait(ms)
      await signalAll(victim.service.pid, 'SIGCONT')
    }
  }
}

/** The shell that would start it again is stopped for as long as it is to be away. */
async function killService({pid}: Service, while_: () => Promise<unknown>): Promise<void> {
  process.kill(pid, 'SIGSTOP')
  try {
    for (const child of await childrenOf(pid)) await killTree(child)
    await while_()
  } finally {
    process.kill(pid, 'SIGCONT')
  }
}

async function killTree(pid: number): Promise<void> {
  const children = await childrenOf(pid)
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    return // it has just ended
  }
  for (const child of children) await killTree(child)
}
