import {completeMark, fillingMark, type Cache} from '../../cache/cache.js'
import {Wholeness} from '../../index/wholeness.js'
import type {DistFile} from '../../packaging/dist-file.js'
import {reconcile} from '../rebuild/merge.js'

const rowsPerBatch = 500

/** Brings the target's cache in step with what a migration finds and does there, as a rebuild would. */
export class CacheRows {
  #saving = new Map<string, DistFile>()
  #removing: DistFile[] = []
  #writing: Promise<void> = Promise.resolve()
  #missed = false
  #isDiscarded = false
  readonly #wholeness: Wholeness

  constructor(private readonly cache: Cache) {
    this.#wholeness = new Wholeness(cache)
  }

  /** @param file as the target lists it now. */
  add(file: DistFile): void {
    this.#saving.set(file.filename, file)
    if (this.#saving.size >= rowsPerBatch) this.#write()
  }

  /** @param file that the target had. */
  remove(file: DistFile): void {
    this.#saving.delete(file.filename)
    this.#removing.push(file)
    if (this.#removing.length >= rowsPerBatch) this.#write()
  }

  /** There may be a file in the target of which no row was added. */
  missOne(): void {
    this.#missed = true
  }

  /** What is not being written yet is forgotten. */
  discard(): void {
    this.#saving.clear()
    this.#removing = []
    this.#isDiscarded = true
  }

  /** Waits for all of it. @throws what the cache throws, now or earlier. */
  async flush(): Promise<void> {
    this.#write()
    await this.#writing
  }

  /**
   * A cache that was not known to be complete is, when it has as many rows as the target has files and no file was
   * missed. @returns whether it is known to be.
   */
  async markIfComplete(files: number): Promise<boolean> {
    if (await this.isComplete()) return true
    if (this.#missed || (await this.cache.countFiles()) !== files) return false
    await this.cache.setState(completeMark, new Date().toISOString())
    await this.cache.setState(fillingMark, undefined)
    return true
  }

  async isComplete(): Promise<boolean> {
    return (await this.cache.getState(completeMark)) !== undefined
  }

  #write(): void {
    const [saving, removing] = [[...this.#saving.values()], this.#removing]
    this.#saving = new Map()
    this.#removing = []
    this.#writing = this.#writing.then(async () => {
      if (this.#isDiscarded) return
      await this.#save(saving)
      await this.#remove(removing)
    })
    this.#writing.catch(() => undefined) // `flush` throws it
  }

  async #save(files: readonly DistFile[]): Promise<void> {
    if (files.length === 0) return
    const seen = await this.cache.findFiles(files.map(({filename}) => filename))
    const changed = files.flatMap(file => {
      const step = reconcile(seen.get(file.filename), file)
      return step.kind === 'unchanged' ? [] : [step.file]
    })
    if (changed.length > 0) await this.#wholeness.noting(() => this.cache.save(changed, {seen}))
  }

  async #remove(files: readonly DistFile[]): Promise<void> {
    if (files.length === 0) return
    const rows = await this.cache.findFiles(files.map(({filename}) => filename))
    if (rows.size > 0) await this.cache.remove([...rows.values()], {ifUnchanged: true})
  }
}
