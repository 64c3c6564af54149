import {on} from 'node:events'
import {Worker} from 'node:worker_threads'
import {isOddity, type ListedObject, type Oddity} from '../storage.js'

export interface ListingOrder {
  readonly root: string
  /** Names of directories in the root. */
  readonly projects: readonly string[]
}
/** What the thread sends for each message that it gets, as JSON text: half as dear as objects. None: it is done. */
export type ListingPortion = readonly (ListedObject | Oddity)[]

/** Portions that the thread may be ahead. */
const portionsAhead = 3
/** A thread of its own has a heap of its own, whose youngest part would grow to 48 MB. */
const resourceLimits = {maxYoungGenerationSizeMb: 6}

/** All objects of `projects`, read by a second processor while this one works on what has been read. */
export async function* listInThread(order: ListingOrder): AsyncGenerator<ListedObject | Oddity> {
  const worker = new Worker(new URL('./list-worker.js', import.meta.url), {
    workerData: order,
    resourceLimits,
  })
  try {
    for (let count = 0; count < portionsAhead; count += 1) worker.postMessage('next')
    for await (const [text] of on(worker, 'message', {close: ['exit']}) as AsyncIterable<[string]>) {
      const portion = JSON.parse(text) as ListingPortion
      if (portion.length === 0) return
      worker.postMessage('next')
      for (const entry of portion)
        yield isOddity(entry) ? entry : {...entry, modified: new Date(entry.modified)}
    }
    throw new Error('the thread that lists the storage has ended too early')
  } finally {
    await worker.terminate()
  }
}
