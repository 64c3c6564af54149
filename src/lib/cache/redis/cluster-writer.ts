import type {DistFile} from '../../packaging/dist-file.js'
import type {Lock, SaveOptions, WriteOptions} from '../cache.js'
import type {RedisConnection} from './connection.js'
import {filesKey, namesKey, rowKey, summaryKey, witnessesKey} from './keys.js'
import {lockArguments, loseLock} from './lock.js'
import type {RedisReader} from './reader.js'
import {fieldsOfFile, formatSeconds} from './rows.js'
import {changeRow, refusal, renewLock, writeSummary} from './scripts.js'
import {changesToRemove, changesToSave, newestFile, type RedisWriter, type RowChange} from './writer.js'

const changesAtOnce = 100

/** A change that was made, and the projects whose lists it has touched. */
interface Done<Change extends RowChange> {
  readonly change: Change
  readonly projects: readonly string[]
}

/**
 * Writes to a cluster, whose nodes share no step: pypicloud's keys of one file lie on up to four of them. Each row is
 * still written, or refused, in one step of its own. What a crash can leave is a file in a list without a row, which
 * readers skip and the next rebuild writes: a file joins the lists before its row comes, and once more after, so that
 * no removal at the same time takes it off again. A lock is checked before each hundred rows rather than with each.
 */
export class ClusterWriter implements RedisWriter {
  constructor(
    private readonly connection: RedisConnection,
    private readonly reader: RedisReader,
  ) {}

  async save(files: readonly DistFile[], {lock, seen}: SaveOptions): Promise<DistFile[]> {
    const done = await this.#applyAll(await changesToSave(this.reader, files, seen), lock)
    const projects = projectsOf(done)
    await this.#closeEmpty(projects)
    for (const project of projects) await this.#summarize(project)
    return done.map(({change}) => change.file)
  }

  async remove(
    files: readonly DistFile[],
    {lock, ifUnchanged = false}: WriteOptions & {readonly ifUnchanged?: boolean},
  ): Promise<{removed: DistFile[]; emptied: string[]}> {
    const {changes, rows} = await changesToRemove(this.reader, files, ifUnchanged)
    const done = await this.#applyAll(changes, lock)
    const projects = projectsOf(done)
    const emptied = await this.#closeEmpty(projects)
    for (const project of projects) if (!emptied.includes(project)) await this.#summarize(project)
    const gone = new Set(done.map(({change}) => change.filename))
    return {removed: rows.filter(({filename}) => gone.has(filename)), emptied}
  }

  async #applyAll<Change extends RowChange>(
    changes: readonly Change[],
    lock: Lock | undefined,
  ): Promise<Done<Change>[]> {
    const done: Done<Change>[] = []
    let start = 0
    do {
      await this.#checkLock(lock)
      const some = changes.slice(start, start + changesAtOnce)
      done.push(...(await Promise.all(some.map(change => this.#apply(change)))).flat())
      start += changesAtOnce
    } while (start < changes.length)
    return done
  }

  async #checkLock(lock: Lock | undefined): Promise<void> {
    if (!lock) return
    const {key, args} = lockArguments(lock)
    if ((await this.connection.runScript(renewLock, [key], args)) !== 1) throw loseLock(lock)
  }

  /** @returns nothing when the row was not as expected. */
  async #apply<Change extends RowChange>(change: Change): Promise<Done<Change>[]> {
    const {filename, expected = '*', file} = change
    if (file) await this.#join(file)
    const fields = file ? fieldsOfFile(file) : []
    const answer = await this.connection.runScript(changeRow, [rowKey(filename)], [expected, ...fields])
    if (answer === refusal.changed) {
      if (file) await this.#leaveUnlessThere(file)
      return []
    }
    if (file) await this.#join(file)
    const [name, witness] = answer as [string, string]
    if (name !== '' && name !== file?.name) await this.connection.send([['srem', filesKey(name), filename]])
    if (witness !== '' && !file) await this.connection.send([['srem', witnessesKey, filename]])
    return [{change, projects: [name, file?.name ?? ''].filter(Boolean)}]
  }

  async #join({name, filename}: DistFile): Promise<void> {
    await this.connection.send([
      ['sadd', namesKey, name],
      ['sadd', filesKey(name), filename],
    ])
  }

  async #leaveUnlessThere({name, filename}: DistFile): Promise<void> {
    const [there] = await this.connection.send<number>([['exists', rowKey(filename)]])
    if (there === 0) await this.connection.send([['srem', filesKey(name), filename]])
  }

  /** @returns those of `projects` that have no file left. */
  async #closeEmpty(projects: readonly string[]): Promise<string[]> {
    const emptied: string[] = []
    for (const project of projects) {
      if (!(await this.#isEmpty(project))) continue
      await this.connection.send([['srem', namesKey, project]])
      if (await this.#isEmpty(project)) {
        await this.connection.send([['del', summaryKey(project)]])
        emptied.push(project)
      } else {
        await this.connection.send([['sadd', namesKey, project]]) // somebody has published meanwhile
      }
    }
    return emptied
  }

  async #isEmpty(project: string): Promise<boolean> {
    const [count] = await this.connection.send<number>([['scard', filesKey(project)]])
    return count === 0
  }

  async #summarize(project: string): Promise<void> {
    const newest = newestFile(await this.reader.files(project))
    if (!newest) return
    await this.connection.runScript(
      writeSummary,
      [summaryKey(project)],
      [project, newest.summary ?? '', formatSeconds(newest.lastModified)],
    )
  }
}

const projectsOf = (done: readonly Done<RowChange>[]): string[] => [
  ...new Set(done.flatMap(({projects}) => projects)),
]
