import {parseFilename} from '../../packaging/filenames.js'
import {normalizeName} from '../../packaging/names.js'
import type {KeyParts} from '../../storage/layout.js'
import type {PackageStorage} from '../../storage/package-storage.js'
import {
  isOddity,
  type ListedObject,
  type ObjectMetadata,
  type ObjectStore,
  type Oddity,
} from '../../storage/storage.js'
import type {Ends} from './ends.js'
import {recordedTime} from './times.js'
import {Progress, type End, type Plan, type PlannedFile} from './plan.js'
import type {ReportBuilder} from './report.js'

export interface Selection {
  /** Normalised. */
  readonly only: ReadonlySet<string> | undefined
  readonly since: Date | undefined
}
export interface FillOptions {
  /** Of the source. */
  readonly listing: AsyncIterable<ListedObject | Oddity>
  readonly selection: Selection
  readonly signal: AbortSignal | undefined
  /** After every batch. */
  readonly onListed: (files: number) => void
}

const filesPerBatch = 1000

/** What a store lists, of which the first part is asked for at once, and taken once. */
export class Listing implements AsyncDisposable {
  readonly #entries: AsyncIterator<ListedObject | Oddity>
  readonly #first: Promise<IteratorResult<ListedObject | Oddity>>

  constructor(store: Pick<ObjectStore, 'list'>) {
    this.#entries = store.list('')[Symbol.asyncIterator]()
    this.#first = this.#entries.next()
    this.#first.catch(() => undefined) // is for whoever takes it
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<ListedObject | Oddity> {
    for (let next = await this.#first; next.done !== true; next = await this.#entries.next()) yield next.value
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#entries.return?.()
  }
}

/** Lists both ends at once. What no key tells (versions in buckets, say) is asked for when it is needed. */
export async function fillPlan(
  plan: Plan,
  {source, target}: Ends,
  report: ReportBuilder,
  options: FillOptions,
): Promise<void> {
  let listed = 0
  const list = async (end: End, storage: PackageStorage, listing: FillOptions['listing']) => {
    let batch: {file: PlannedFile; progress: Progress}[] = []
    const flush = () => {
      options.signal?.throwIfAborted()
      plan.add(end, batch)
      listed += batch.length
      options.onListed(listed)
      batch = []
    }
    for await (const entry of listing) {
      if (isOddity(entry)) {
        if (end === 'source') {
          const project = projectOfOddity(storage, entry.key)
          if (project !== undefined) plan.addUnreadable(project)
          const {only} = options.selection
          const isSelected = !only || project === undefined || only.has(project)
          if (entry.unreadable && isSelected) report.fail(entry.key, entry.reason)
          else report.odd(entry)
        }
        continue
      }
      const file = planned(storage, entry)
      const progress = end === 'source' ? selected(file, entry, options.selection) : Progress.todo
      if (progress !== undefined) batch.push({file, progress})
      if (batch.length >= filesPerBatch) flush()
    }
    flush()
  }
  const results = await Promise.allSettled([
    list('source', source, options.listing),
    list('target', target, target.store.list('')),
  ])
  for (const result of results) if (result.status === 'rejected') throw result.reason
}

function planned(storage: PackageStorage, entry: ListedObject): PlannedFile {
  const {metadata, ...object} = entry
  const parts = storage.parseKey(entry.key)
  const filename = parts?.filename ?? filenameOf(entry.key)
  return {
    ...object,
    filename,
    project: parts ? projectAt(storage, parts, metadata) : projectOf(filename),
    version: parts?.version,
    // A directory tells it again for less than a database keeps it for.
    ...(metadata !== undefined && storage.store.layout !== 'tree' && {metadata}),
  }
}

/**
 * A bucket may hold a file of any project under any name, as pypicloud lists it: where both differ, what the file is called
 * says more.
 */
function projectAt({store}: PackageStorage, {name, filename}: KeyParts, metadata?: ObjectMetadata): string {
  const project = normalizeName(name)
  if (store.layout === 'tree') return project
  if (metadata?.['name']) return normalizeName(metadata['name'])
  return normalizeName(filename).startsWith(`${project}-`) ? project : (projectOf(filename) ?? project)
}

/** Undefined: it is none of our business. What can't be known yet counts as selected. */
function selected(
  file: PlannedFile,
  {modified, metadata}: ListedObject,
  {only, since}: Selection,
): Progress | undefined {
  if (only && !mayBeOf(only, file)) return undefined
  if (!since) return Progress.todo
  const published = metadata ? recordedTime(metadata['upload_time'] ?? metadata['upload-time']) : undefined
  return (published ?? modified) < since ? Progress.unselected : Progress.todo // never published after it was modified
}

const mayBeOf = (only: ReadonlySet<string>, {project, version, filename}: PlannedFile): boolean =>
  project === undefined ||
  only.has(project) ||
  (version === undefined && only.has(projectOf(filename) ?? project))

/** A directory that can't be read, say, may hold any file of its project. */
function projectOfOddity({store}: PackageStorage, key: string): string | undefined {
  const [first = ''] = key.split('/')
  return store.layout === 'tree' ? normalizeName(first) : projectOf(filenameOf(key))
}

function projectOf(filename: string): string | undefined {
  try {
    return normalizeName(parseFilename(filename).name)
  } catch {
    return undefined
  }
}

const filenameOf = (key: string): string => key.slice(key.lastIndexOf('/') + 1)
