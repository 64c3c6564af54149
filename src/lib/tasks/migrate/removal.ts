import {Conflict} from '../../errors.js'
import {isUploaded, type DistFile} from '../../packaging/dist-file.js'
import type {PackageStorage} from '../../storage/package-storage.js'
import {isOddity, ObjectMissing} from '../../storage/storage.js'
import {digestOf, lookAt} from './ends.js'
import type {Run} from './file-work.js'
import type {PlannedRemoval} from './options.js'
import {findInTarget, placeInTarget, usualKeyOf, withoutPath} from './place.js'
import {Progress, withoutMetadata, type PlannedFile} from './plan.js'
import {forEachAtOnce} from './pool.js'
import {reasonOf} from './report.js'
import {Sealer} from './seals.js'

const examplesTold = 5
/** A share of this size may be a mistake. */
const largeShare = 0.2

/** What `mirror` would remove from the target. */
export async function planSurplus({plan, ends, selection}: Run): Promise<PlannedRemoval> {
  const examples: string[] = []
  let files = 0
  for await (const {filename} of plan.surplus(selection.only)) {
    files += 1
    if (examples.length < examplesTold) examples.push(filename)
  }
  return removal(ends.target.store.name, files, plan.total('target').files, examples)
}

/** What `deleteSource` would remove at the most. */
export async function planSourceRemoval({plan, ends}: Run): Promise<PlannedRemoval> {
  const examples: string[] = []
  for await (const [file] of plan.sourceFiles()) {
    if (file) examples.push(file.filename)
    if (examples.length === examplesTold) break
  }
  const selected = plan.total('source', Progress.todo).files
  return removal(ends.source.store.name, selected, plan.total('source').files, examples)
}

const removal = (place: string, files: number, of: number, examples: readonly string[]): PlannedRemoval => ({
  place,
  files,
  of,
  examples,
  isLarge: files > of * largeShare,
})

/**
 * RULES 3 and 27 in one place: removes what was seen to be superfluous unless it has changed or is younger than the
 * run, and seals the names that lose their last file, before that.
 */
export class Remover {
  readonly #seals: Readonly<Record<'source' | 'target', Sealer>>
  #removed = 0

  constructor(
    private readonly run: Run,
    private readonly concurrency: number,
  ) {
    const {ends, report} = run
    this.#seals = {
      source: new Sealer(ends.source.store, report),
      target: new Sealer(ends.target.store, report),
    }
  }

  /** `mirror`: what the source lacks. */
  async removeSurplus(): Promise<void> {
    const {plan, ends, selection, options, report, rows} = this.run
    const work = async (planned: PlannedFile) => {
      const file = await this.#asPlanned(ends.target, planned)
      if (!file || (await this.#isInSource(file))) return
      if (!options.dryRun) {
        await this.#remove('target', file, () => !plan.keepsProject(planned.project ?? file.name))
        rows?.remove(file)
      }
      report.remove(file.filename)
    }
    await this.#each(plan.surplus(selection.only), work)
  }

  /** `deleteSource`: what is at the target, whose bytes are read once more unless this run has written them. */
  async removeArrived(): Promise<void> {
    const {plan, ends, report} = this.run
    const work = async (planned: PlannedFile & {readonly progress: Progress}) => {
      const file = await this.#asPlanned(ends.source, planned)
      if (!file || !(await this.#isAtTarget(file, planned.progress === Progress.verified))) return
      await this.#remove('source', file, () => !plan.hasUnverified(file.name))
      report.removedFromSource += 1
    }
    await this.#each(plan.arrived(), work)
  }

  async #each<T extends PlannedFile>(
    files: AsyncIterable<T>,
    work: (file: T) => Promise<void>,
  ): Promise<void> {
    const {lock, report, ends, options} = this.run
    const one = async (file: T) => {
      await lock?.check()
      try {
        await work(file)
      } catch (error) {
        ends.signal?.throwIfAborted()
        report.fail(file.filename, `was not removed: ${reasonOf(error)}`)
      }
      this.#removed += 1
      options.onProgress?.({phase: 'removing', done: this.#removed, bytes: report.bytes})
    }
    await forEachAtOnce(files, this.concurrency, one, ends.signal)
  }

  /** Undefined: it is gone, is no distribution file, was written since it was listed, or is younger than this run. */
  async #asPlanned(storage: PackageStorage, planned: PlannedFile): Promise<DistFile | undefined> {
    const file = await lookAt(storage, withoutMetadata(planned))
    if (!file || isOddity(file) || file.lastModified >= this.run.started) return undefined
    if (file.data.fingerprint === planned.fingerprint) return file
    // A hard link of it has changed the time of its inode, and nothing else.
    const isLinked =
      this.run.options.link === 'hard' &&
      file.data.size === planned.size &&
      file.lastModified.getTime() === planned.modified.getTime()
    return isLinked ? file : undefined
  }

  async #isInSource(file: DistFile): Promise<boolean> {
    const {source} = this.run.ends
    return usualKeyOf(source, file) !== undefined && source.exists(withoutPath(file))
  }

  async #isAtTarget(file: DistFile, isVerified: boolean): Promise<boolean> {
    const {ends, plan} = this.run
    const there = findInTarget(ends.target, file, plan.targetsNamed(file.filename))
    const place = placeInTarget(ends.target, file, there?.key)
    let now: DistFile
    try {
      now = await ends.target.stat(place)
    } catch (error) {
      if (error instanceof ObjectMissing) return false
      throw error
    }
    const key = ends.target.keyOf(now)
    if (await ends.target.store.isOneWith?.(key, ends.source.store, ends.source.keyOf(file))) {
      throw new Conflict(`${ends.target.store.name} has only a link to it`)
    }
    if (now.data.size !== file.data.size) return false
    if (isVerified) return true
    const {sha256} = await digestOf(ends, ends.target, now)
    return (
      sha256 === (file.data.hash_sha256?.toLowerCase() ?? (await digestOf(ends, ends.source, file)).sha256)
    )
  }

  async #remove(end: 'source' | 'target', file: DistFile, isEmptied: () => boolean): Promise<void> {
    if (isUploaded(file) && isEmptied()) await this.#seals[end].seal(file.name)
    await this.run.ends[end].delete(file)
  }
}
