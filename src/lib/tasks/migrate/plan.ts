import Database from 'better-sqlite3'
import {StorageFailed} from '../../errors.js'
import type {ListedObject, ObjectMetadata} from '../../storage/storage.js'

/** An object as the listing of one end told it. */
export interface PlannedFile extends ListedObject {
  readonly filename: string
  /** Normalised, as far as the key or the file name tells. */
  readonly project: string | undefined
  /** Where the key tells it: in trees. */
  readonly version: string | undefined
}
export type End = 'source' | 'target'

/** How far a file of the source is. Only `todo` is worked on. */
export const Progress = {unselected: -1, todo: 0, same: 1, verified: 2} as const
export type Progress = (typeof Progress)[keyof typeof Progress]

interface Row {
  readonly filename: string
  readonly key: string
  readonly project: string | null
  readonly version: string | null
  readonly size: number
  readonly modified: number
  readonly fingerprint: string
  readonly metadata: string | null
}
interface Total {
  readonly files: number
  readonly bytes: number
}

const columns =
  'filename TEXT NOT NULL, key TEXT NOT NULL, project TEXT, version TEXT, size INTEGER NOT NULL, ' +
  'modified INTEGER NOT NULL, fingerprint TEXT NOT NULL, metadata TEXT, progress INTEGER NOT NULL'
const rowsAtOnce = 500

/**
 * Both listings, joined by file name, in a temporary database: it lies on the disk (in SQLITE_TMPDIR, TMPDIR or
 * /var/tmp) without a name, so that not even a killed run leaves it, and takes a few megabytes of memory for any number
 * of files.
 */
export class Plan implements Disposable {
  readonly #database: Database.Database
  readonly #insert: Record<End, Database.Statement>
  readonly #statements = new Map<string, Database.Statement>()

  constructor() {
    this.#database = new Database('')
    for (const pragma of [
      'journal_mode = OFF',
      'synchronous = OFF',
      'cache_size = -4000', // kilobytes
      'temp_store = FILE',
    ]) {
      this.#database.pragma(pragma)
    }
    this.#database.exec(`
      CREATE TABLE source (${columns});
      CREATE TABLE target (${columns});
      CREATE TABLE projects (project TEXT, end TEXT, PRIMARY KEY (project, end)) WITHOUT ROWID;
      CREATE TABLE unreadable (project TEXT PRIMARY KEY) WITHOUT ROWID;`)
    const insert = (end: End) =>
      this.#database.prepare(`INSERT INTO ${end} VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`)
    this.#insert = {source: insert('source'), target: insert('target')}
  }

  /**
   * After the listings and before anything is looked up: to sort once is several times quicker than to keep order all along.
   * @param projects for removals, which look up by project.
   */
  async index({projects}: {readonly projects: boolean}): Promise<void> {
    const indexes = [
      'source_by_name ON source (filename, key)',
      'target_by_name ON target (filename, key)',
      ...(projects
        ? ['source_by_project ON source (project, progress)', 'target_by_project ON target (project)']
        : []),
    ]
    for (const index of indexes) {
      this.#run(() => void this.#database.exec(`CREATE INDEX ${index}`))
      await new Promise(resolve => setImmediate(resolve)) // of millions each takes seconds
    }
  }

  /** @throws {StorageFailed} when the temporary directory is full. */
  add(end: End, files: readonly {readonly file: PlannedFile; readonly progress: Progress}[]): void {
    this.#run(() =>
      this.#database.transaction(() => {
        const projects = new Set(files.map(({file}) => file.project))
        for (const project of projects) {
          if (project !== undefined)
            this.#prepare('INSERT OR IGNORE INTO projects VALUES (?, ?)').run(project, end)
        }
        for (const {file, progress} of files) {
          this.#insert[end].run(
            file.filename,
            file.key,
            file.project ?? null,
            file.version ?? null,
            file.size,
            file.modified.getTime(),
            file.fingerprint,
            file.metadata === undefined ? null : JSON.stringify(file.metadata),
            progress,
          )
        }
      })(),
    )
  }

  /** What of the source could not be read may have files of `project`: nothing of it is missing for certain. */
  addUnreadable(project: string): void {
    this.#run(() => this.#prepare('INSERT OR IGNORE INTO unreadable VALUES (?)').run(project))
  }

  total(end: End, progress?: Progress): Total {
    const where = progress === undefined ? '' : `WHERE progress = ${progress}`
    return this.#prepare(
      `SELECT count(*) AS files, coalesce(sum(size), 0) AS bytes FROM ${end} ${where}`,
    ).get() as Total
  }

  /** The selected files of the source, those of one file name together. */
  async *sourceFiles(): AsyncGenerator<readonly PlannedFile[]> {
    let group: PlannedFile[] = []
    for await (const file of this.#pages('source', 'progress <> -1', [])) {
      if (group.length > 0 && group[0]?.filename !== file.filename) {
        yield group
        group = []
      }
      group.push(file)
    }
    if (group.length > 0) yield group
  }

  /** What the target has under that file name. */
  targetsNamed(filename: string): PlannedFile[] {
    return (this.#prepare('SELECT * FROM target WHERE filename = ?').all(filename) as Row[]).map(fileOf)
  }

  /** @param project as its metadata tells it, where the key did not. */
  setProgress({filename, key}: PlannedFile, progress: Progress, project: string): void {
    this.#run(() =>
      this.#prepare('UPDATE source SET progress = ?, project = ? WHERE filename = ? AND key = ?').run(
        progress,
        project,
        filename,
        key,
      ),
    )
  }

  /** Of the target, what the source has under no name of that project; by file name. */
  surplus(only: ReadonlySet<string> | undefined): AsyncGenerator<PlannedFile> {
    const projects = only && [...only]
    const filter = projects ? `AND project IN (${projects.map(() => '?').join()})` : ''
    return this.#pages('target', `${isSurplus} ${filter}`, projects ?? [])
  }

  /** Normalised names that still have a file in the source which is not at the target for certain. */
  hasUnverified(project: string): boolean {
    const found = this.#prepare('SELECT 1 FROM source WHERE project = ? AND progress < 1 LIMIT 1').get(
      project,
    )
    return found !== undefined
  }

  /** Whether the target has files of `project` that are no surplus. */
  keepsProject(project: string): boolean {
    return (
      this.hasProject(project, 'source') ||
      this.#prepare(`SELECT 1 FROM target WHERE project = ? AND NOT (${isSurplus}) LIMIT 1`).get(project) !==
        undefined
    )
  }

  /** @param end default: either. */
  hasProject(project: string, end?: End): boolean {
    const found = this.#prepare('SELECT end FROM projects WHERE project = ?').all(project) as {end: End}[]
    return found.some(row => end === undefined || row.end === end)
  }

  /** Of the source, what is at the target: by record or for certain. */
  arrived(): AsyncGenerator<PlannedFile & {readonly progress: Progress}> {
    return this.#pages('source', 'progress >= 1', [])
  }

  async *#pages(
    end: End,
    where: string,
    parameters: readonly unknown[],
  ): AsyncGenerator<PlannedFile & {readonly progress: Progress}> {
    const page = `SELECT * FROM ${end} WHERE (filename, key) > (?, ?) AND ${where} ORDER BY filename, key LIMIT ${rowsAtOnce}`
    let last: {readonly filename: string; readonly key: string} = {filename: '', key: ''}
    for (;;) {
      const rows = this.#prepare(page).all(last.filename, last.key, ...parameters) as (Row & {
        progress: Progress
      })[]
      for (const row of rows) {
        const isListedTwice = row.filename === last.filename && row.key === last.key
        last = row
        if (!isListedTwice) yield {...fileOf(row), progress: row.progress}
      }
      if (rows.length < rowsAtOnce) return
      await new Promise(resolve => setImmediate(resolve))
    }
  }

  #prepare(sql: string): Database.Statement {
    const known = this.#statements.get(sql)
    if (known) return known
    const statement = this.#database.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }

  #run(write: () => void): void {
    try {
      write()
    } catch (error) {
      if (!(error instanceof Database.SqliteError) || !/^SQLITE_(?:FULL|IOERR)/.test(error.code)) throw error
      throw new StorageFailed('the disk for the temporary database of the migration is full', {
        cause: error,
        hint: 'Let TMPDIR name a directory with room: about 500 bytes a file.',
      })
    }
  }

  [Symbol.dispose](): void {
    this.#database.close()
  }
}

/** Of a row of `target`. The same file name under another project or version counts only where both keys tell them. */
const isSurplus = `NOT EXISTS (
    SELECT 1 FROM source WHERE source.filename = target.filename AND (
      source.version IS NULL OR target.version IS NULL OR
      (source.version = target.version AND source.project = target.project)))
  AND (target.project IS NULL OR target.project NOT IN (SELECT project FROM unreadable))`

/** As it was listed, but for what is to be asked for again. */
export function withoutMetadata(file: PlannedFile): PlannedFile {
  const {filename, key, project, version, size, modified, fingerprint} = file
  return {filename, key, project, version, size, modified, fingerprint}
}

const fileOf = (row: Row): PlannedFile => ({
  filename: row.filename,
  key: row.key,
  project: row.project ?? undefined,
  version: row.version ?? undefined,
  size: row.size,
  modified: new Date(row.modified),
  fingerprint: row.fingerprint,
  ...(row.metadata !== null && {metadata: JSON.parse(row.metadata) as ObjectMetadata}),
})
