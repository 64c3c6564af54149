import {NotInThisVersion, StorageFailed, Unavailable} from '../errors.js'
import type {ObjectStore} from '../storage/storage.js'

/** Milliseconds for which seals are taken as they were read last. */
const freshFor = 1000
const attempts = 20

/**
 * What the text holds. Members that this version doesn't know are kept:
 * `{"version": 1, "seals": {"acme": {"since": …}}, "locks": {"migrate": {"owner": …, "beat": 4, …}}, "status": …}`.
 */
interface Document {
  readonly version: number
  readonly seals: ReadonlyMap<string, unknown>
  readonly locks: ReadonlyMap<string, unknown>
  readonly others: ReadonlyMap<string, unknown>
}
/** The members that are changed here. */
interface Draft {
  readonly seals: Map<string, unknown>
  readonly locks: Map<string, unknown>
  readonly others: Map<string, unknown>
}

/** All but the locks. */
export interface Lasting {
  readonly sealed: readonly string[]
  readonly others: ReadonlyMap<string, unknown>
}

const empty: Document = {version: 1, seals: new Map(), locks: new Map(), others: new Map()}

/**
 * Durable facts about projects that no rebuild of the cache can derive, in one small JSON text beside the packages. A
 * sealed name was published here and has no file of its own any more: it is never looked for upstream. A store without
 * a safe place for notes keeps none.
 */
export class Notes {
  #known:
    | {readonly sealed: ReadonlySet<string>; readonly readAt: number; readonly token: string | undefined}
    | undefined

  constructor(private readonly store: Pick<ObjectStore, 'name' | 'notes'>) {}

  /**
   * Normalised names, as they were at most a second ago.
   * @param token of the cache: with another one than before they are read at once, so that no worker takes a name that
   * another has just deleted and sealed for an unknown one.
   * @throws {StorageFailed} when the text is damaged.
   */
  sealed(token?: string): Promise<ReadonlySet<string>> {
    const known = this.#known
    if (known && known.token === token && performance.now() - known.readAt < freshFor) {
      return Promise.resolve(known.sealed)
    }
    return this.#read(token)
  }

  /** Sealed names in order, each with the time at which it was sealed where that is noted. As they are now. */
  async listSeals(): Promise<{readonly name: string; readonly since: string | undefined}[]> {
    const found = await this.store.notes?.read()
    return [...(found ? this.#parse(found.text).seals : [])]
      .map(([name, noted]) => ({
        name,
        since: isRecord(noted) && typeof noted['since'] === 'string' ? noted['since'] : undefined,
      }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /** @param projects normalised names. Those that are sealed stay as they are. */
  seal(projects: Iterable<string>): Promise<void> {
    const names = [...projects]
    return this.#change(({seals}) => {
      const missing = names.filter(name => !seals.has(name))
      for (const name of missing) seals.set(name, {since: new Date().toISOString()})
      return missing.length > 0
    })
  }

  /** @param project normalised name. */
  unseal(project: string): Promise<void> {
    return this.#change(({seals}) => seals.delete(project))
  }

  /** What is noted of the lock `name`, whose meaning is its holders': see `notes-lock.ts`. */
  async readLock(name: string): Promise<unknown> {
    const found = await this.store.notes?.read()
    return found && this.#parse(found.text).locks.get(name)
  }

  /** @param edit gets what is noted of the lock and gives what is to be: undefined removes it, the same changes nothing. */
  changeLock(name: string, edit: (held: unknown) => unknown): Promise<void> {
    return this.#change(({locks}) => replaceEntry(locks, name, edit))
  }

  /** Whether anything can be noted at all. */
  get areKept(): boolean {
    return this.store.notes !== undefined
  }

  /** @param edit gets a member other than seals and locks, and gives what is to be, as for `changeLock`. */
  changeOther(name: string, edit: (value: unknown) => unknown): Promise<void> {
    return this.#change(({others}) => replaceEntry(others, name, edit))
  }

  /** What another store can take over: sealed names, and members that others know the meaning of: see `project-notes.ts`. */
  async readLasting(): Promise<Lasting | undefined> {
    const found = await this.store.notes?.read()
    if (!found) return undefined
    const {seals, others} = this.#parse(found.text)
    return {sealed: [...seals.keys()], others}
  }

  /**
   * Takes over members that `readLasting` of another store gave; of those that both have, entry by entry.
   * @param wins of an entry that both have with another value, the one that came is kept.
   */
  mergeOthers(members: ReadonlyMap<string, unknown>, {wins}: {readonly wins: boolean}): Promise<void> {
    return this.#change(({others}) => {
      const before = JSON.stringify([...others])
      for (const [name, theirs] of members) {
        const ours = others.get(name)
        if (isRecord(ours) && isRecord(theirs)) {
          others.set(name, wins ? {...ours, ...theirs} : {...theirs, ...ours})
        } else if (ours === undefined || wins) others.set(name, theirs)
      }
      return JSON.stringify([...others]) !== before
    })
  }

  async #read(token: string | undefined): Promise<ReadonlySet<string>> {
    const readAt = performance.now()
    const found = await this.store.notes?.read()
    const sealed = new Set(found ? this.#parse(found.text).seals.keys() : [])
    this.#known = {sealed, readAt, token}
    return sealed
  }

  /** Reads, changes and writes until nobody else has written in between. `edit` says whether it changed anything. */
  async #change(edit: (draft: Draft) => boolean): Promise<void> {
    const {notes} = this.store
    if (!notes) return
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      if (attempt > 0) await new Promise(resolve => setTimeout(resolve, Math.random() * 20 * attempt))
      const found = await notes.read()
      const document = found ? this.#parse(found.text) : empty
      const draft = {
        seals: new Map(document.seals),
        locks: new Map(document.locks),
        others: new Map(document.others),
      }
      const changed = edit(draft)
      if (!changed || (await notes.write(this.#format({...document, ...draft}), found?.version))) {
        this.#known = undefined
        return
      }
    }
    throw new Unavailable(`the notes in ${this.store.name} are being written by too many at once`)
  }

  #parse(text: string): Document {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (error) {
      throw this.#damaged(error)
    }
    if (!isRecord(value)) throw this.#damaged()
    const {version, seals = {}, locks = {}, ...others} = value
    if (typeof version !== 'number') throw this.#damaged()
    if (!isRecord(seals) || !isRecord(locks)) throw this.#damaged()
    return {
      version,
      seals: new Map(Object.entries(seals)),
      locks: new Map(Object.entries(locks)),
      others: new Map(Object.entries(others)),
    }
  }

  #format({version, seals, locks, others}: Document): string {
    if (version > 1) {
      throw new NotInThisVersion(
        `the notes in ${this.store.name} were written by a newer version (${version})`,
        {
          hint: 'Use that version here too.',
        },
      )
    }
    return JSON.stringify({
      version,
      seals: Object.fromEntries(seals),
      ...(locks.size > 0 && {locks: Object.fromEntries(locks)}),
      ...Object.fromEntries(others),
    })
  }

  #damaged(cause?: unknown): StorageFailed {
    return new StorageFailed(
      `the notes in ${this.store.name} are damaged: which names are private can't be told`,
      {
        cause,
        hint: 'Restore them from a backup, or remove them if no project was ever deleted here.',
      },
    )
  }
}

/** @returns whether `edit` gave something else than what was there. */
function replaceEntry(
  entries: Map<string, unknown>,
  name: string,
  edit: (value: unknown) => unknown,
): boolean {
  const before = entries.get(name)
  const next = edit(before)
  if (next === before) return false
  if (next === undefined) entries.delete(name)
  else entries.set(name, next)
  return true
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
