import {readFile} from 'node:fs/promises'
import {setTimeout as sleep} from 'node:timers/promises'

/** Reaches a server and the processes that it has started, each of which may have a group of its own. */
export async function signalAll(pid: number, signal: NodeJS.Signals): Promise<void> {
  try {
    process.kill(pid, signal)
  } catch {
    return // it has just ended
  }
  if (signal === 'SIGSTOP') await untilStopped(pid) // it starts no others after they are counted
  for (const child of await childrenOf(pid)) await signalAll(child, signal)
}

/** The processes that `pid` has started; none when it has ended. */
export async function childrenOf(pid: number): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')
  return children.split(' ').filter(Boolean).map(Number)
}

async function untilStopped(pid: number): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    const state = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => 'ended) Z')
    if (/\) [TZ]/.test(state)) return
    await sleep(2)
  }
}
