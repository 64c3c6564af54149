import {LRUCache} from 'lru-cache'
import type {DistFile} from '../../packaging/dist-file.js'
import type {Database} from '../../sql/database.js'
import {mostRows, worthKeeping} from './row-memory.js'
import {fileOfRow, type Row} from './rows.js'

/** Some neighbouring rows of a project. */
interface Part {
  readonly part: number
  /** A JSON array of `Values`. */
  readonly rows: string
}
const columns = ['filename', 'version', 'last_modified', 'summary', 'data']
type Values = [Row['filename'], Row['version'], Row['last_modified'], Row['summary'], Row['data']]

/** Others may have written bytes, which are in no JSON. */
const asText = (column: string): string => `CAST(${column} AS TEXT)`
/** Two queries in one: to group the rows of one, SQLite would copy them first. */
const selectParts = `
  SELECT part, (
    SELECT json_group_array(json_array(${columns.map(asText).join(', ')}))
    FROM packages WHERE name = :project AND rowid BETWEEN part << 6 AND (part << 6) + 63
  ) AS rows
  FROM (SELECT DISTINCT rowid >> 6 AS part FROM packages WHERE name = :project)`

interface Kept {
  /** The change token under which they were read. */
  readonly token: string
  readonly parts: ReadonlyMap<number, {readonly rows: string; readonly files: readonly DistFile[]}>
  readonly files: readonly DistFile[]
}
const nothing: Kept = {token: '', parts: new Map(), files: []}

/**
 * The files of large projects in SQLite as they were read last. SQLite makes one text of 64 rows in half the time that it takes to
 * hand them over, and what is in a text that is the same as before keeps its `DistFile`, the same object, so that whatever
 * else was made of it need not be made again. While nothing changes, the whole list stays the same object.
 */
export class RowParts {
  readonly #projects = new LRUCache<string, Kept>({
    maxSize: mostRows,
    sizeCalculation: ({files}) => Math.max(files.length, worthKeeping),
  })

  constructor(private readonly database: Database) {}

  /** Remembers that a project is large, from the next time that it is read. */
  note(project: string): void {
    this.#projects.set(project, nothing)
  }

  /** @returns undefined where the project is not known as a large one. */
  async listFiles(project: string): Promise<readonly DistFile[] | undefined> {
    const before = this.#projects.get(project)
    if (!before) return undefined
    const token = await this.database.changeToken()
    if (before.token === token) return before.files
    const found = await this.database.knex.raw<Part[]>(selectParts, {project})
    const parts = new Map(
      found.map(({part, rows}) => {
        const known = before.parts.get(part)
        return [part, known?.rows === rows ? known : {rows, files: filesIn(rows, project)}]
      }),
    )
    const isSame =
      parts.size === before.parts.size && found.every(({part}) => parts.get(part) === before.parts.get(part))
    const files = isSame ? before.files : Array.from(parts.values(), each => each.files).flat()
    if (files.length < worthKeeping) this.#projects.delete(project)
    else this.#projects.set(project, {token, parts, files})
    return files
  }
}

const filesIn = (rows: string, name: string): DistFile[] =>
  (JSON.parse(rows) as Values[]).map(([filename, version, last_modified, summary, data]) =>
    fileOfRow({filename, name, version, last_modified, summary, data}),
  )
