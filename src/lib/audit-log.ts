import {open, type FileHandle} from 'node:fs/promises'
import {ExitCode, PpcError} from './errors.js'

/** One change, or an attempt at one. */
export interface AuditEntry {
  /** `file.upload`, `user.delete` … */
  readonly action: string
  readonly result: 'done' | 'denied' | 'refused' | 'failed'
  readonly [detail: string]: unknown
}

/** The audit log can't be opened. */
export class AuditLogUnusable extends PpcError {
  readonly code = 'PPC_AUDIT_LOG_UNUSABLE'
  override readonly exitCode = ExitCode.usage
}

/**
 * A file to which JSON lines are appended, and flushed to the disk before the change is answered. Lines of requests at
 * one time share a flush. Several processes may append to one file.
 */
export class AuditLog implements AsyncDisposable {
  #waiting: string[] = []
  #writing: Promise<void> | undefined

  private constructor(
    readonly file: string,
    private handle: FileHandle,
  ) {}

  /** @throws {AuditLogUnusable} */
  static async open(file: string): Promise<AuditLog> {
    return new AuditLog(file, await openToAppend(file))
  }

  /** Resolves when the line is on the disk. @throws what the file system says. */
  async record(entry: AuditEntry): Promise<void> {
    this.#waiting.push(`${JSON.stringify({time: new Date().toISOString(), ...entry})}\n`)
    // Whoever comes while lines are being written waits for the write after that.
    if (this.#writing) await this.#writing.catch(() => undefined)
    if (this.#waiting.length > 0) this.#writing ??= this.#write().finally(() => (this.#writing = undefined))
    await this.#writing
  }

  async #write(): Promise<void> {
    const {handle} = this
    await handle.appendFile(this.#waiting.splice(0).join(''))
    await handle.datasync()
  }

  /** After a rotation: goes on in the file of that name. @throws {AuditLogUnusable} and goes on in the old one. */
  async reopen(): Promise<void> {
    const next = await openToAppend(this.file)
    const before = this.handle
    this.handle = next
    await this.#writing?.catch(() => undefined) // it may still go there
    await before.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writing?.catch(() => undefined)
    await this.handle.close()
  }
}

async function openToAppend(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'a', 0o640)
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown reason'
    throw new AuditLogUnusable(`audit.file: ${file} can not be written (${reason})`, {cause: error})
  }
}
