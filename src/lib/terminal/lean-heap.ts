import {setFlagsFromString} from 'node:v8'
import type {Worker} from 'node:worker_threads'

/**
 * Of tools that look at millions of files for a moment each. V8 would let what dies young grow to 48 MB and the rest to
 * four times what lives before it cleans up; a tool that waits for networks and disks has the time to clean up earlier.
 */
export function keepHeapLean(): void {
  setFlags()
  // V8 sets the first one back, for the whole process, when the heap of another thread is made
  process.on('worker', (worker: Worker) => worker.once('online', setFlags))
}

function setFlags(): void {
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--heap-growing-percent=100')
}
