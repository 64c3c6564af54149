import {chown, stat} from 'node:fs/promises'
import {hostname, userInfo} from 'node:os'
import {dirname, resolve} from 'node:path'
import {AuditLog, type AuditEntry} from '../audit-log.js'
import type {Config} from '../config/config.js'
import {operationFields} from '../config/schema/operation.js'
import {PpcError, rootFailure} from '../errors.js'

/** What was called. */
export interface ShellCall {
  readonly action: string
  /** As it was typed: `ppc user create`. */
  readonly command: string
  /** Arguments, but for the config. */
  readonly args: Readonly<Record<string, unknown>>
  readonly flags: Readonly<Record<string, unknown>>
}

/** They change nothing of what is done. No flag holds a secret. */
const dullFlags = new Set(['wait', 'quiet', 'verbose', 'json', 'no-color', 'yes', 'exit-code'])

/** Adds a line to `audit.file`, if the config has one. @param error what the command ended with. @throws {PpcError} */
export async function auditShell(config: Config, call: ShellCall, error: unknown): Promise<void> {
  const {auditFile} = config.read(operationFields)
  if (auditFile === undefined) return
  const file = resolve(config.directory, auditFile)
  const isNew = await stat(file).then(
    () => false,
    () => true,
  )
  await using log = await AuditLog.open(file)
  // The server, which runs as somebody else, has to go on with it.
  if (isNew && process.getuid?.() === 0) {
    const {uid, gid} = await stat(dirname(file))
    await chown(file, uid, gid)
  }
  await log.record(entryOf(call, error))
}

function entryOf({action, command, args, flags}: ShellCall, error: unknown): AuditEntry {
  const options = Object.entries(flags).filter(
    ([name, value]) => !dullFlags.has(name) && value !== undefined && value !== false,
  )
  return {
    action,
    result: resultOf(error),
    by: null,
    shell: userName(),
    host: hostname(),
    command,
    ...args,
    ...(options.length > 0 && {options: Object.fromEntries(options)}),
  }
}

function resultOf(error: unknown): AuditEntry['result'] {
  if (error === undefined) return 'done'
  const failure = rootFailure(error)
  return failure instanceof PpcError && failure.statusCode < 500 ? 'refused' : 'failed'
}

/** Who sits there; with sudo, who called it. */
function userName(): string {
  const caller = process.env['SUDO_USER']
  try {
    const {username} = userInfo()
    return caller === undefined ? username : `${username} (${caller})`
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}` // it has no name
  }
}
