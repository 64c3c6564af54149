import type {Cache} from '../cache/cache.js'
import {NotesOutOfReach} from '../storage/storage.js'
import type {Notes} from './notes.js'

/** The member of the notes: `{"caches": {"redis://db:6379/0": {"listed": "2026-11-22T…"}}}`. */
export const cachesMember = 'caches'

/** Whether a cache has ever listed everything, as it is remembered elsewhere. */
export interface CachePast {
  wasComplete(): Promise<boolean>
  noteComplete(): Promise<void>
}

/**
 * What the storage remembers of a cache that may lose everything, its own memory included (`Cache.remembers`): with rows
 * but without any word of ours it is one of pypicloud that we take over, or one of ours that was emptied and has got a
 * few rows from elsewhere since. By its name, so that another one is taken over as it is.
 */
export class KnownCaches implements CachePast {
  constructor(
    private readonly notes: Pick<Notes, 'readLasting' | 'changeOther'>,
    private readonly cache: Pick<Cache, 'name'>,
  ) {}

  /** @throws {StorageFailed} {Unavailable} when the notes can't be read. */
  async wasComplete(): Promise<boolean> {
    const lasting = await this.notes.readLasting().catch((error: unknown) => {
      if (error instanceof NotesOutOfReach) return undefined // then nobody could note anything by this config
      throw error
    })
    return this.cache.name in entriesOf(lasting?.others.get(cachesMember))
  }

  /** Since when, for people: it stays as it is. @throws {StorageFailed} {Unavailable} */
  noteComplete(): Promise<void> {
    return this.notes.changeOther(cachesMember, member => {
      const entries = entriesOf(member)
      const entry = {listed: new Date().toISOString()}
      return this.cache.name in entries ? member : {...entries, [this.cache.name]: entry}
    })
  }
}

const entriesOf = (member: unknown): object => (typeof member === 'object' && member !== null ? member : {})
