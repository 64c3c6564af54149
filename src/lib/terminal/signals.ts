import {setMaxListeners} from 'node:events'
import {ExitCode} from '../errors.js'

const exitCodes = {SIGINT: ExitCode.interrupted, SIGTERM: 143, SIGHUP: 129} as const
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
/** Aborted at the first Ctrl-C or SIGTERM, and when the terminal goes away: tasks stop, backends close, the command ends. */
export const interrupted: AbortSignal = controller.signal
setMaxListeners(0, interrupted) // a migration listens once a file

/** The exit code of the signal that is ending this process, if one is. */
export const endedBySignal = (): number | undefined =>
  interrupted.reason instanceof Interrupted ? interrupted.reason.exitCode : undefined

/**
 * From now on the first of `signals` aborts `interrupted`, and the second ends the process at once: but for SIGHUP, which
 * a terminal that goes away sends twice, and the shell in between.
 */
export function watchSignals(signals: readonly EndingSignal[]): void {
  for (const signal of signals) {
    process.on(signal, () => {
      if (interrupted.aborted && signal === 'SIGHUP') return
      if (interrupted.aborted) process.exit(endedBySignal())
      controller.abort(new Interrupted(signal))
    })
  }
}

/**
 * Ends this process with the exit code that is set. Node crashes when it gives back a terminal that is gone: after a
 * SIGHUP the signal itself ends the process, which shells report as 129.
 */
export function leave(): never {
  if (endedBySignal() === exitCodes.SIGHUP) {
    process.removeAllListeners('SIGHUP')
    process.kill(process.pid, 'SIGHUP')
  }
  process.exit()
}
