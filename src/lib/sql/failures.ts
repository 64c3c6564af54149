import {accessSync, constants, existsSync, statSync} from 'node:fs'
import {dirname} from 'node:path'
import {PpcError, StorageFailed, Unavailable} from '../errors.js'

/** The database is there but can't be used: damaged, no database, or in no directory. Trying again does not help. */
export class DatabaseFailed extends PpcError {
  readonly code = 'PPC_DATABASE_FAILED'
  override readonly statusCode = 503
}

/** Where a database was named: its file and key go into every message. */
export interface DatabaseOrigin {
  /** Config file. */
  readonly file: string
  /** Config key. */
  readonly key: string
}

/** Says in one sentence what SQLite's error means. What is no failure of the database itself comes back as it is. */
export function explainSqlite(
  error: unknown,
  path: string,
  where: DatabaseOrigin,
  waitedSeconds: number,
): unknown {
  if (error instanceof PpcError || !(error instanceof Error)) return error
  const at = `${where.file}: ${where.key}`
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const options = {cause: error}
  if (code.startsWith('SQLITE_BUSY') || code.startsWith('SQLITE_LOCKED')) {
    return new Unavailable(
      `${at}: the database ${path} is locked by another process, waited ${waitedSeconds} s`,
      options,
    )
  }
  if (code === 'SQLITE_FULL') {
    return new StorageFailed(`${at}: no space is left on the disk of the database ${path}`, options)
  }
  if (code.startsWith('SQLITE_READONLY') || code === 'SQLITE_PERM') {
    return new StorageFailed(`${at}: the database ${path} or its directory may not be written`, options)
  }
  if (code === 'SQLITE_NOTADB') {
    return new DatabaseFailed(`${at}: ${path} is not an SQLite database`, options)
  }
  if (code.startsWith('SQLITE_CORRUPT')) {
    return new DatabaseFailed(`${at}: the database ${path} is damaged: restore it from a backup`, options)
  }
  if (code.startsWith('SQLITE_IOERR')) {
    return new DatabaseFailed(
      `${at}: the disk of the database ${path} can't be read or written (${code})`,
      options,
    )
  }
  // better-sqlite3 looks for the directory itself and throws a TypeError
  if (code.startsWith('SQLITE_CANTOPEN') || error instanceof TypeError) {
    const reason = whyNotOpened(path)
    if (reason) return new DatabaseFailed(`${at}: ${reason}`, options)
  }
  return error
}

function whyNotOpened(path: string): string | undefined {
  const directory = dirname(path)
  if (!existsSync(directory)) return `the directory ${directory} of the database does not exist: create it`
  if (!existsSync(path)) return `the database ${path} can't be created: its directory may not be written`
  if (!statSync(path).isFile()) return `${path} is not a file, so it can't be a database`
  try {
    accessSync(path, constants.R_OK)
  } catch {
    return `the database ${path} may not be read`
  }
  return `the database ${path} can't be opened: its directory may not be written`
}
