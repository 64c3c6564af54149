import {ExitCode, PpcError} from '../errors.js'

/** The address is in use, or may not be used. */
export class ListenFailed extends PpcError {
  readonly code = 'PPC_LISTEN_FAILED'
  override readonly exitCode = ExitCode.failed
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program uses this port',
  EADDRNOTAVAIL: 'this machine does not have that address',
  EACCES: 'this user may not use that port',
  ENOTFOUND: 'the host name is unknown',
}
/** Why `listen` failed, in words. */
export const reasonOf = (error: unknown): string => {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  return reasons[code] ?? (code || 'unknown reason')
}
