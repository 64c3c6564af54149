import {StorageFailed, Unavailable, type PpcError} from '../../errors.js'

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk quota is used up',
  EROFS: 'the file system is read-only',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EIO: 'the disk reports an error',
  ENOTDIR: 'a file lies where a directory belongs',
  EISDIR: 'a directory lies where a file belongs',
  EEXIST: 'something else lies there',
  ENAMETOOLONG: 'the name is too long for the file system',
  ENOENT: 'the directory is gone',
  ELOOP: 'symbolic links go in a circle',
  ESTALE: 'the network file system has lost it',
}

export const errorCode = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

/** That nothing is there, rather than that it can't be seen now. */
export const isMissing = (error: unknown): boolean => {
  const code = errorCode(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

/** `permission denied`, or the system's own words. */
export function systemReason(error: unknown): string {
  const code = errorCode(error)
  return (
    (code === undefined ? undefined : reasons[code]) ??
    (error instanceof Error ? error.message : String(error))
  )
}

/** An error of the file system as one sentence; every other error is returned as it is. */
export function storageFailure(error: unknown, what: string): unknown {
  const code = errorCode(error)
  if (code === undefined || !(error instanceof Error) || !('syscall' in error)) return error
  const message = `${what}: ${systemReason(error)}`
  const failure: PpcError =
    code === 'EMFILE' || code === 'ENFILE'
      ? new Unavailable(`${what}: too many files are open`, {cause: error})
      : new StorageFailed(message, {cause: error})
  return failure
}
