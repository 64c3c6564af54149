import {Notes} from '../../index/notes.js'
import type {ObjectStore} from '../../storage/storage.js'
import type {ReportBuilder} from './report.js'

const namesTold = 10

/** Where a store has no place for seals, somebody has to be told. */
export async function sealOrWarn(
  store: ObjectStore,
  projects: readonly string[],
  report: ReportBuilder,
): Promise<void> {
  if (store.notes) return new Notes(store).seal(projects)
  const more = projects.length - namesTold
  report.warn(
    `${store.name} can't keep that these names were published and have no files any more, so that they may lead ` +
      `upstream: ${projects.slice(0, namesTold).join(', ')}${more > 0 ? ` and ${more} more` : ''}; list them in pypi.private`,
  )
}

/** Seals names as they lose their last files: all that come while one write of the notes goes on, by the next one. */
export class Sealer {
  readonly #done = new Map<string, Promise<void>>()
  #waiting: string[] = []
  #writing: Promise<void> | undefined

  constructor(
    private readonly store: ObjectStore,
    private readonly report: ReportBuilder,
  ) {}

  /** Returns when the seal of the name is durable. */
  seal(project: string): Promise<void> {
    const known = this.#done.get(project)
    if (known) return known
    this.#waiting.push(project)
    const next = (this.#writing ?? Promise.resolve()).then(() => this.#next())
    this.#done.set(project, next)
    return next
  }

  #next(): Promise<void> {
    const names = this.#waiting.splice(0)
    if (names.length > 0) {
      this.#writing = sealOrWarn(this.store, names, this.report).then(() => this.report.seal(names))
      this.#writing.catch(() => undefined) // those who wait for it throw it
    }
    return this.#writing ?? Promise.resolve()
  }
}
