import {LRUCache} from 'lru-cache'
import type {DistFile} from '../../packaging/dist-file.js'
import {fileOfRow, type Row} from './rows.js'

/** Rows. To read fewer anew takes no time. */
export const worthKeeping = 500
/** Rows of all projects: about a kilobyte each. */
export const mostRows = 20_000

interface Known {
  readonly modified: string
  readonly data: string
  readonly file: DistFile
}

/**
 * The files of large projects on a server as they were read last. After a change nearly all rows are what they were: those keep their
 * `DistFile`, the same object, so that whatever else was made of it need not be made again.
 */
export class RowMemory {
  readonly #projects = new LRUCache<string, ReadonlyMap<string, Known>>({
    maxSize: mostRows,
    sizeCalculation: ({size}) => size,
  })

  /** @param rows all that the project has. */
  filesOf(project: string, rows: readonly Row[]): DistFile[] {
    if (rows.length < worthKeeping) return rows.map(fileOfRow)
    const before = this.#projects.get(project)
    const now = new Map<string, Known>()
    for (const row of rows) {
      const known = before?.get(row.filename)
      now.set(row.filename, known && isSame(known, row) ? known : knownOf(row))
    }
    this.#projects.set(project, now)
    return Array.from(now.values(), ({file}) => file)
  }
}

const knownOf = (row: Row): Known => ({modified: row.last_modified, data: row.data, file: fileOfRow(row)})

const isSame = ({modified, data, file}: Known, row: Row): boolean =>
  data === row.data &&
  modified === row.last_modified &&
  file.version === row.version &&
  file.name === row.name &&
  file.summary === (row.summary === '' ? null : row.summary)
