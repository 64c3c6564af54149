import type {Cache} from '../../cache/cache.js'
import {InvalidInput, Unavailable} from '../../errors.js'
import {KnownCaches} from '../../index/known-caches.js'
import {Notes} from '../../index/notes.js'
import {Wholeness} from '../../index/wholeness.js'
import type {DistFile} from '../../packaging/dist-file.js'
import {computedKey} from '../../storage/layout.js'
import type {PackageStorage} from '../../storage/package-storage.js'
import {isOddity, ObjectMissing, type Oddity} from '../../storage/storage.js'
import {losesTo} from '../rebuild/doubles.js'
import {reconcile} from '../rebuild/merge.js'
import {removeGone} from './removal.js'

const attempts = 50

export interface SyncParts {
  readonly storage: PackageStorage
  readonly cache: Cache
}

/** What the row of one object needed, or got, to say what the storage has. */
export type SyncStep = ChangingStep | IdleStep
export interface ChangingStep {
  readonly kind: 'added' | 'updated' | 'removed'
  readonly file: DistFile
  /** The name has no file of its own any more, and stays reserved. */
  readonly sealed?: boolean
}
export type IdleStep =
  /** The row says it already, or there is none and nothing is stored. */
  | {readonly kind: 'unchanged'}
  /** The object is no distribution file of this index, or does not count. */
  | {readonly kind: 'ignored'; readonly reason: string}

/** A step, and the row that it is about as it was seen. */
interface Plan {
  readonly step: SyncStep
  readonly row?: DistFile | undefined
}

/**
 * Brings the row of one object in step with the storage, whatever is said to have happened to it. What was heard may be
 * old, out of order or wrong; the storage is asked, and asked again after each write until nothing is left to do. So any
 * number of these, servers and rebuilds may work on one file at the same time (RULES 23).
 */
export class ObjectSync {
  readonly #notes: Notes
  readonly #wholeness: Wholeness

  constructor(private readonly parts: SyncParts) {
    this.#notes = new Notes(parts.storage.store)
    this.#wholeness = new Wholeness(parts.cache, new KnownCaches(this.#notes, parts.cache))
  }

  /** What `bring` would begin with. Writes nothing. @param key whole, with the prefix of the store. */
  async plan(key: string): Promise<SyncStep> {
    return (await this.#plan(key)).step
  }

  /**
   * @returns the last step that changed something, else why there was none.
   * @throws {Unavailable} {StorageFailed} when storage or cache can't be asked: the same again may help later.
   */
  async bring(key: string): Promise<SyncStep> {
    const step = await this.#bringOne(key)
    if (step.kind === 'removed') for (const twin of this.#twins(step.file, key)) await this.#bringOne(twin)
    return step
  }

  async #bringOne(key: string): Promise<SyncStep> {
    let done: ChangingStep | undefined
    for (let attempt = 0; attempt < attempts; attempt += 1) {
      const {step, row} = await this.#plan(key)
      if (!isChanging(step)) return done ?? step
      done = (await this.#take(step, row)) ?? done
    }
    throw new Unavailable(`${key} is being changed by too many at once`)
  }

  async #plan(key: string): Promise<Plan> {
    const {storage, cache} = this.parts
    const {keyPrefix = ''} = storage.store
    const filename = key.slice(key.lastIndexOf('/') + 1)
    if (!key.startsWith(keyPrefix)) return ignored(`is not below the prefix "${keyPrefix}"`)
    if (filename === '' || /[\x00-\x1f\x7f]/.test(key)) return ignored('has not the name of a file')
    const stored = await this.#look(key)
    if (stored && isOddity(stored)) return ignored(stored.reason)
    const row = (await cache.findFiles([filename])).get(filename)
    if (!stored) {
      const isAbout = row !== undefined && storage.keyOrNone(row) === key
      return {step: isAbout ? {kind: 'removed', file: row} : {kind: 'unchanged'}, row}
    }
    let double: Oddity | undefined
    if (row && (await losesTo(storage, row, stored, found => (double = found)))) {
      return ignored(double?.reason ?? 'does not count')
    }
    return {step: reconcile(row, stored), row}
  }

  /** Undefined where there is no such object, and there can't be one. */
  async #look(key: string): Promise<DistFile | Oddity | undefined> {
    try {
      return await this.parts.storage.look(key)
    } catch (error) {
      if (error instanceof ObjectMissing) return undefined
      if (error instanceof InvalidInput) return {key, reason: error.message}
      throw error
    }
  }

  /** Undefined when the row is not any more what it was: then it has to be planned anew. */
  async #take(step: ChangingStep, row: DistFile | undefined): Promise<ChangingStep | undefined> {
    const {cache} = this.parts
    const {file} = step
    if (step.kind === 'removed') {
      const {removed, sealed} = await removeGone({cache, notes: this.#notes}, file)
      return removed ? {...step, sealed} : undefined
    }
    const seen = new Map(row ? [[file.filename, row]] : [])
    const written = await this.#wholeness.noting(() => cache.save([file], {seen}))
    return written.length > 0 ? step : undefined
  }

  /** Where another object of the same file name would be, which counts now: buckets hold keys with a hash and without. */
  #twins(file: DistFile, key: string): string[] {
    const {layout, keyPrefix = ''} = this.parts.storage.store
    if (layout === 'tree') return []
    try {
      const keys = [computedKey('hashed', file), computedKey('flat', file)]
      return keys.map(twin => keyPrefix + twin).filter(twin => twin !== key)
    } catch (error) {
      if (error instanceof InvalidInput) return [] // a name that nobody could publish
      throw error
    }
  }
}

const isChanging = (step: SyncStep): step is ChangingStep => 'file' in step
const ignored = (reason: string): Plan => ({step: {kind: 'ignored', reason}})
