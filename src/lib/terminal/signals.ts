import {setMaxListeners} from 'node:events'
import {ExitCode} from '../errors.js'

const exitCodes = {SIGINT: ExitCode.interrupted, SIGTERM: 143} as const
type EndingSignal = keyof typeof exitCodes

/** The reason of the abort. */
export class Interrupted extends Error {
  readonly exitCode: number
  constructor(signal: EndingSignal) {
    super(`ended by ${signal}`)
    this.name = 'AbortError'
    this.exitCode = exitCodes[signal]
  }
}

const controller = new AbortController()
/** Aborted at the first Ctrl-C or SIGTERM: tasks stop, backends close, the command ends. */
export const interrupted: AbortSignal = controller.signal
setMaxListeners(0, interrupted) // a migration listens once a file

/** The exit code of the signal that is ending this process, if one is. */
export const endedBySignal = (): number | undefined =>
  interrupted.reason instanceof Interrupted ? interrupted.reason.exitCode : undefined

/** From now on the first signal aborts `interrupted`, and the second ends the process at once. */
export function watchSignals(): void {
  for (const signal of Object.keys(exitCodes) as EndingSignal[]) {
    process.on(signal, () => {
      if (interrupted.aborted) process.exit(endedBySignal())
      controller.abort(new Interrupted(signal))
    })
  }
}
