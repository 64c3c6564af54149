import type {Database, SqlValue} from '../../sql/database.js'
import type {AclEntry} from '../access.js'

/** Rows that wait in memory for their INSERT: more of them save no time. */
const rowsPerInsert = 200

let stages = 0

const stagedTables = ['users', 'groups', 'members', 'grants'] as const
type StagedTable = (typeof stagedTables)[number]

/**
 * A dump in temporary tables of the one SQLite connection: they lock nothing of the database, need no memory for a
 * large dump, and go with the process.
 */
export class Stage {
  readonly users: string
  readonly groups: string
  readonly members: string
  readonly grants: string
  registration: boolean | undefined
  readonly #waiting: Readonly<Record<StagedTable, SqlValue[][]>>

  constructor(private readonly database: Database) {
    const prefix = `temp.ppc_load_${(stages += 1)}`
    this.users = `${prefix}_users`
    this.groups = `${prefix}_groups`
    this.members = `${prefix}_members`
    this.grants = `${prefix}_grants`
    this.#waiting = {users: [], groups: [], members: [], grants: []}
  }

  async create(): Promise<void> {
    const {knex} = this.database
    await knex.raw('PRAGMA temp_store = FILE')
    await knex.raw('PRAGMA temp.cache_size = -4000') // KiB
    await knex.raw(
      `CREATE TEMP TABLE ${unqualified(this.users)} (username TEXT, password TEXT, admin INT, pending INT)`,
    )
    await knex.raw(`CREATE TEMP TABLE ${unqualified(this.groups)} (name TEXT)`)
    await knex.raw(`CREATE TEMP TABLE ${unqualified(this.members)} (grp TEXT, username TEXT)`)
    await knex.raw(
      `CREATE TEMP TABLE ${unqualified(this.grants)} (package TEXT, kind TEXT, name TEXT, read INT, write INT)`,
    )
  }

  /** @returns what to wait for, if anything. */
  add(entry: AclEntry): Promise<void> | undefined {
    switch (entry.kind) {
      case 'registration':
        this.registration = entry.allowed
        return undefined
      case 'user':
        return this.#put('users', [entry.username, entry.passwordHash, Number(entry.admin), 0])
      case 'pending':
        return this.#put('users', [entry.username, entry.passwordHash, 0, 1])
      case 'group':
        return this.#put('groups', [entry.name])
      case 'member':
        return this.#put('members', [entry.group, entry.username])
      case 'grant': {
        const {project, principal, permissions} = entry
        const [kind, name] = 'user' in principal ? ['user', principal.user] : ['group', principal.group]
        const flags = [Number(permissions.includes('read')), Number(permissions.includes('write'))]
        return this.#put('grants', [project, kind, name, ...flags])
      }
    }
  }

  #put(table: StagedTable, row: SqlValue[]): Promise<void> | undefined {
    const rows = this.#waiting[table]
    rows.push(row)
    return rows.length >= rowsPerInsert ? this.#insert(table) : undefined
  }

  async #insert(table: StagedTable): Promise<void> {
    const rows = this.#waiting[table].splice(0)
    if (rows.length === 0) return
    const values = rows[0]?.map(() => '?').join(', ')
    await this.database.runMany(this.database.knex, `INSERT INTO ${this[table]} VALUES (${values})`, rows)
  }

  async flush(): Promise<void> {
    for (const table of stagedTables) await this.#insert(table)
  }

  async close(): Promise<void> {
    for (const table of stagedTables) await this.database.knex.raw(`DROP TABLE IF EXISTS ${this[table]}`)
  }
}

const unqualified = (table: string): string => table.slice('temp.'.length)

/** Must be closed. */
export async function openStage(database: Database): Promise<Stage> {
  const stage = new Stage(database)
  await stage.create()
  return stage
}
