/** Exit codes of every command. Scripts match on them; README lists them. */
export const ExitCode = {
  done: 0,
  failed: 1,
  usage: 2,
  partly: 3,
  findings: 4,
  locked: 5,
  unavailable: 75,
  interrupted: 130,
} as const
export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode]

export interface PpcErrorOptions {
  cause?: unknown
  /** What to try next: one sentence. */
  hint?: string
}

/**
 * A failure that the operator or the caller can act on. Its message is one sentence that says what is wrong and
 * where, with the value found, and never holds a secret. Anything else that is thrown is a bug and keeps its stack.
 */
export abstract class PpcError extends Error {
  /** Stable: scripts and clients match on it. */
  abstract readonly code: `PPC_${string}`
  readonly exitCode: ExitCode = ExitCode.failed
  /** Of the server's answer. */
  readonly statusCode: number = 500
  readonly hint: string | undefined

  constructor(message: string, options: PpcErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : {cause: options.cause})
    this.name = new.target.name
    this.hint = options.hint
  }
}

/** Wrong flags or arguments, or two that exclude each other. */
export class UsageError extends PpcError {
  readonly code = 'PPC_USAGE'
  override readonly exitCode = ExitCode.usage
  override readonly statusCode = 400
}

/** `pypi.storage`, `pypi.db` or `pypi.auth` names nothing that can be loaded. */
export class UnknownBackend extends PpcError {
  readonly code = 'PPC_UNKNOWN_BACKEND'
  override readonly exitCode = ExitCode.usage
}

/** A database, bucket or directory server can't be reached now, or is locked: trying again may help. */
export class Unavailable extends PpcError {
  readonly code = 'PPC_UNAVAILABLE'
  override readonly exitCode = ExitCode.unavailable
  override readonly statusCode = 503
}

/** Another run holds the lock. The message names its owner and its age. */
export class LockHeld extends PpcError {
  readonly code = 'PPC_LOCK_HELD'
  override readonly exitCode = ExitCode.locked
  override readonly statusCode = 409
}

/** The lock under which something was to be written is no longer ours. */
export class LockLost extends PpcError {
  readonly code = 'PPC_LOCK_LOST'
  override readonly exitCode = ExitCode.locked
}

/** What a client sent can't be taken: a bad file name, digest, archive or metadata. */
export class InvalidInput extends PpcError {
  readonly code = 'PPC_INVALID_INPUT'
  override readonly statusCode = 400
}

/** The object, file, user or group does not exist. */
export class NotFound extends PpcError {
  readonly code = 'PPC_NOT_FOUND'
  override readonly statusCode = 404
}

/** Something of that name is there already, with other content. */
export class Conflict extends PpcError {
  readonly code = 'PPC_CONFLICT'
  override readonly statusCode = 409
}

/** The project takes no files: it is archived or quarantined. Or it gives none. */
export class ProjectClosed extends PpcError {
  readonly code = 'PPC_PROJECT_CLOSED'
  override readonly statusCode = 403
}

/** The storage has no safe place for what should be noted. */
export class NotKept extends PpcError {
  readonly code = 'PPC_NOT_KEPT'
  override readonly statusCode = 501
}

/** The disk, bucket or quota is full, or may not be written. */
export class StorageFailed extends PpcError {
  readonly code = 'PPC_STORAGE_FAILED'
  override readonly statusCode = 503
}

/** Known, but this version can't do it yet. */
export class NotInThisVersion extends PpcError {
  readonly code = 'PPC_NOT_IN_THIS_VERSION'
  override readonly statusCode = 501
}

/** The first failure of a chain: under `await using`, a failing close wraps the error that came before it. */
export function rootFailure(error: unknown): unknown {
  let current = error
  for (;;) {
    if (typeof current !== 'object' || current === null || !('suppressed' in current)) return current
    current = current.suppressed
  }
}

/** What Node throws for a file or a socket. */
export const isSystemError = (error: unknown): error is NodeJS.ErrnoException =>
  error instanceof Error && 'syscall' in error && 'errno' in error
