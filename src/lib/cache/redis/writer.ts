import {setTimeout as sleep} from 'node:timers/promises'
import {byCodePoint} from '../../by-code-point.js'
import {Unavailable} from '../../errors.js'
import type {DistFile} from '../../packaging/dist-file.js'
import {sameRow, type Lock, type SaveOptions, type WriteOptions} from '../cache.js'
import type {RedisConnection} from './connection.js'
import {stateKey, witnessesKey} from './keys.js'
import {lockArguments, loseLock} from './lock.js'
import type {RedisReader} from './reader.js'
import {fieldsOfFile, noRow} from './rows.js'
import {changeRows, refusal} from './scripts.js'

/** What shall become of one file's row. */
export interface RowChange {
  readonly filename: string
  /** The signature that its row must have, or none at all (`noRow`). Undefined: whatever it has. */
  readonly expected?: string
  /** Undefined: it is removed. */
  readonly file?: DistFile
}

export interface RedisWriter {
  save(files: readonly DistFile[], options: SaveOptions): Promise<DistFile[]>
  remove(
    files: readonly DistFile[],
    options: WriteOptions & {readonly ifUnchanged?: boolean},
  ): Promise<{removed: DistFile[]; emptied: string[]}>
}

const attempts = 20

/** Writes to a single server: each call is one script, and nobody sees half of it. */
export class SingleServerWriter implements RedisWriter {
  constructor(
    private readonly connection: RedisConnection,
    private readonly reader: RedisReader,
  ) {}

  save(files: readonly DistFile[], {lock, seen}: SaveOptions): Promise<DistFile[]> {
    return this.#untilDone(async () => {
      const changes = await changesToSave(this.reader, files, seen)
      return (await this.#apply(changes, lock)) && changes.map(({file}) => file)
    })
  }

  remove(
    files: readonly DistFile[],
    {lock, ifUnchanged = false}: WriteOptions & {readonly ifUnchanged?: boolean},
  ): Promise<{removed: DistFile[]; emptied: string[]}> {
    return this.#untilDone(async () => {
      const {changes, rows} = await changesToRemove(this.reader, files, ifUnchanged)
      const emptied = await this.#apply(changes, lock)
      return emptied && {removed: rows, emptied}
    })
  }

  /** @returns emptied projects; undefined when a row was not as expected: then nothing was written. */
  async #apply(changes: readonly RowChange[], lock: Lock | undefined): Promise<string[] | undefined> {
    const {key, args} = lockArguments(lock)
    const texts = changes.flatMap(textsOf)
    const answer = await this.connection.runScript(
      changeRows,
      [key, stateKey, witnessesKey],
      [...args, ...texts],
    )
    if (answer === refusal.lockLost) throw loseLock(lock)
    return answer === refusal.changed ? undefined : (answer as string[])
  }

  /** Reads and writes until nobody else has written in between. */
  async #untilDone<T>(attempt: () => Promise<T | undefined>): Promise<T> {
    for (let count = 0; count < attempts; count += 1) {
      if (count > 0) await sleep(Math.random() * 10 * count)
      const result = await attempt()
      if (result !== undefined) return result
    }
    const {file, key, name} = this.connection.where
    throw new Unavailable(`${file}: ${key}: ${name} is being written by too many at once`)
  }
}

function textsOf({filename, expected = '*', file}: RowChange): string[] {
  const fields = file ? fieldsOfFile(file) : []
  return [filename, expected, String(fields.length), ...fields]
}

/** As `SaveOptions.seen` says. */
export async function changesToSave(
  reader: RedisReader,
  files: readonly DistFile[],
  seen: SaveOptions['seen'],
): Promise<(RowChange & {readonly file: DistFile})[]> {
  if (!seen) return files.map(file => ({filename: file.filename, file}))
  const rows = await reader.listedRows(files.map(({filename}) => filename))
  return files.flatMap(file => {
    const {filename} = file
    const row = rows.get(filename)
    const before = seen.get(filename)
    const unchanged =
      row?.listed && before ? sameRow(row.file, before) : (row?.listed ?? false) === (before !== undefined)
    return unchanged ? [{filename, file, expected: row?.signature ?? noRow}] : []
  })
}

/** Of `files` those that are there; with `ifUnchanged`, only those that still are what was seen. */
export async function changesToRemove(
  reader: RedisReader,
  files: readonly DistFile[],
  ifUnchanged: boolean,
): Promise<{changes: RowChange[]; rows: DistFile[]}> {
  const wanted = new Map(files.map(file => [file.filename, file])) // named twice is removed once
  const present = await reader.rows([...wanted.keys()])
  const changes: RowChange[] = []
  const rows: DistFile[] = []
  for (const [filename, file] of wanted) {
    const row = present.get(filename)
    if (!row || (ifUnchanged && !sameRow(row.file, file))) continue
    changes.push({filename, expected: row.signature})
    rows.push(row.file)
  }
  return {changes, rows}
}

/** By the time of its upload; of several, the last by name. */
export function newestFile(files: readonly DistFile[]): DistFile | undefined {
  let newest: DistFile | undefined
  for (const file of files) {
    const age = newest ? file.lastModified.getTime() - newest.lastModified.getTime() : 1
    if (!newest || age > 0 || (age === 0 && byCodePoint(file.filename, newest.filename) > 0)) newest = file
  }
  return newest
}
