import {setTimeout as sleep} from 'node:timers/promises'

/** For what takes a moment, however busy the machine is: only a test that fails waits so long. */
const patienceMs = 60_000

/**
 * Looks again and again until `look` finds something, and returns that. What it throws, it throws.
 * @throws {Error} naming `what` after a minute.
 */
export async function waitFor<Found>(
  what: string,
  look: () => Promise<Found | undefined | false> | Found | undefined | false,
  everyMs = 20,
): Promise<Found> {
  for (const giveUpAt = performance.now() + patienceMs; ;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > giveUpAt) throw new Error(`waited in vain: ${what}`)
    await sleep(everyMs)
  }
}

/** Tries again and again until `work` doesn't throw. @throws what is not `temporary` at once, and anything after a minute. */
export async function insist<Result>(
  work: () => Promise<Result> | Result,
  temporary: (error: unknown) => boolean = () => true,
): Promise<Result> {
  for (const giveUpAt = performance.now() + patienceMs; ;) {
    try {
      return await work()
    } catch (error) {
      if (performance.now() > giveUpAt || !temporary(error)) throw error
      await sleep(50)
    }
  }
}
