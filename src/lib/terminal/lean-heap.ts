import {getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString} from 'node:v8'
import type {Worker} from 'node:worker_threads'

/** Bytes. With less, what 64 requests hold while they wait would be copied from half to half for every few objects. */
const youngSize = 8 << 20
/** Bytes. A run that never holds more is mostly over before it gets anything for marking what lives. */
const smallSize = 32 << 20
const lookEveryMs = 50
/** Until it has not been once: what V8 has begun to mark it goes on with. */
let isSmall = true

/**
 * Of tools that look at millions of files or rows for a moment each. V8 would let what dies young grow to 48 MB and the rest to
 * four times what lives before it cleans up; a tool that waits for networks and disks has the time to clean up earlier.
 */
export function keepHeapLean(): void {
  setFlags()
  // V8 sets the first one back, for the whole process, when the heap of another thread is made
  process.on('worker', (worker: Worker) => worker.once('online', setFlags))
  setInterval(setFlags, lookEveryMs).unref()
}

function setFlags(): void {
  const isGrown = getHeapSpaceStatistics().some(
    ({space_name: name, space_size: size}) => name === 'new_space' && size >= youngSize,
  )
  setFlagsFromString(`--semi-space-growth-factor=${isGrown ? 1 : 2}`)
  setFlagsFromString('--heap-growing-percent=100')
  isSmall &&= getHeapStatistics().total_heap_size < smallSize
  setFlagsFromString(isSmall ? '--no-incremental-marking' : '--incremental-marking')
  setFlagsFromString('--no-parallel-scavenge') // so little is sooner done than helpers have come where the machine is busy
}
