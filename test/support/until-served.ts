import type {ChildProcess} from 'node:child_process'
import {setTimeout as sleep} from 'node:timers/promises'

/** Generous: two cores may start a dozen programs at once. */
const patienceMs = 90_000

/**
 * Waits until the program that was just started answers `GET url`, by default with success.
 * @throws {Error} with the program's log when it ends before that, or doesn't answer in a minute and a half; then it is killed.
 */
export async function untilServed(
  child: ChildProcess,
  url: string,
  {log, isUp = ({ok}) => ok}: {log: () => string; isUp?: (answer: Response) => boolean},
): Promise<void> {
  for (const giveUpAt = performance.now() + patienceMs; ;) {
    const up = await fetch(url, {signal: AbortSignal.timeout(10_000)}).then(isUp, () => false)
    if (up) return
    if (child.exitCode !== null || child.signalCode !== null || performance.now() > giveUpAt) {
      child.kill('SIGKILL')
      throw new Error(`nobody answers at ${url}:\n${log()}`)
    }
    await sleep(50)
  }
}
