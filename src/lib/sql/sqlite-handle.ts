import {existsSync, statfsSync, statSync} from 'node:fs'
import {dirname} from 'node:path'
import Sqlite from 'better-sqlite3'
import {StorageFailed} from '../errors.js'
import {flushData} from '../flush.js'

export type Handle = Sqlite.Database

// Linux statfs(2) magic numbers of file systems that other hosts or an emulation stand behind: NFS, SMB (three
// generations), AFS, Ceph, Lustre, GPFS, OCFS2, BeeGFS, 9P, FUSE.
const sharedFileSystems = new Set([
  0x6969, 0x517b, 0xff534d42, 0xfe534d42, 0x5346414f, 0x00c36400, 0x0bd00bd0, 0x47504653, 0x7461636f,
  0x19830326, 0x01021997, 0x65735546,
])

/**
 * Opens a connection. The file gets a write-ahead log only if it is new: one that pypicloud made keeps its journal
 * mode, because a switch would stay in it for good (RULES 14).
 * @throws SqliteError, also when locked: SQLite's own waiting is off (busy.ts waits instead).
 */
export function openHandle(path: string | undefined, options: {readonly readonly?: boolean} = {}): Handle {
  const isNew = path !== undefined && !options.readonly && (!existsSync(path) || statSync(path).size === 0)
  const handle = new Sqlite(path ?? ':memory:', {timeout: 0, readonly: options.readonly ?? false})
  rememberStatements(handle)
  try {
    handle.pragma('foreign_keys = OFF') // as pypicloud has it: rules for `everyone` refer to no row
    // KiB, and the same again for sorting: the library's 16 MB make no query of ours faster
    handle.pragma('cache_size = -4000')
    if (isNew && !onSharedFileSystem(path)) handle.pragma('journal_mode = WAL')
    // A commit waits for the disk and stops the whole process for so long. With a log nothing can break without that, and
    // whoever has to be certain of a commit waits beside other work: see `flushLog`.
    handle.pragma(`synchronous = ${hasWriteAheadLog(handle) ? 'NORMAL' : 'FULL'}`)
    handle.prepare('SELECT count(*) FROM sqlite_master').get() // reads the header: damage and locks show here
    return handle
  } catch (error) {
    handle.close()
    throw error
  }
}

// Addons compiled against the headers of Node 24.19 and later 24.x abort the process when a statement or connection is
// collected at the wrong moment (https://github.com/nodejs/node/issues/65446): there, none ever is.
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
const kept: object[] | undefined = major === 24 && minor >= 19 ? [] : undefined

/** Each SQL text is prepared once: queries come in few shapes, and preparing one costs as much as running it. */
function rememberStatements(handle: Handle): void {
  const statements = new Map<string, ReturnType<Handle['prepare']>>()
  const prepare = handle.prepare.bind(handle) as (sql: string) => ReturnType<Handle['prepare']>
  handle.prepare = ((sql: string) => {
    const known = statements.get(sql)
    if (known) return known
    const statement = prepare(sql)
    if (statements.size < mostStatements) statements.set(sql, statement)
    kept?.push(statement)
    return statement
  }) as Handle['prepare']
  handle.pragma = (text: string, {simple = false} = {}) => {
    const statement = handle.prepare(`PRAGMA ${text}`)
    if (!statement.reader) return statement.run()
    return simple ? statement.pluck().get() : statement.pluck(false).all()
  }
  kept?.push(handle)
}
/** Beyond it, shapes that depend on the number of values are not worth their memory. */
const mostStatements = 500

/** Whether the file has a write-ahead log, in which readers and the writer don't wait for each other. */
export const hasWriteAheadLog = (handle: Handle): boolean =>
  handle.pragma('journal_mode', {simple: true}) === 'wal'

/**
 * Waits until everything that was committed is on the disk: in the log, or, where the log has begun anew since, in the file,
 * to which it only goes after both were synced (https://www.sqlite.org/pragma.html#pragma_synchronous). Many wait for one
 * sync. The log has no locks that closing a descriptor of it could take away, as the file has.
 * @throws {StorageFailed} when the disk fails: then nobody can tell whether a commit will last.
 */
export async function flushLog(path: string): Promise<void> {
  try {
    await flushData(`${path}-wal`)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return // the last to close it has removed it
    throw new StorageFailed(`${path} was written, but the disk reports an error`, {cause: error})
  }
}

/** Moves what the write-ahead log holds into the file, as far as other processes let us. */
export function checkpoint(handle: Handle): void {
  if (handle.readonly || handle.memory || !hasWriteAheadLog(handle)) return
  handle.pragma('wal_checkpoint(TRUNCATE)')
}

function onSharedFileSystem(path: string): boolean {
  if (process.platform !== 'linux') return false
  return sharedFileSystems.has(Number(BigInt.asUintN(32, BigInt(statfsSync(dirname(path)).type))))
}
