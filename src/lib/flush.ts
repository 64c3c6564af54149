import {closeSync, fdatasync, fsync, openSync} from 'node:fs'
import {promisify} from 'node:util'

/**
 * Waits until what was written through `descriptor` is on the disk. Only the waiting leaves this thread: an upload makes
 * some twenty small calls, and handing each to another thread and back costs several times what the call does.
 */
export const flushDescriptor = promisify(fsync)

/** As `flushDescriptor`, of a file or of the names in a directory. */
export const flush = (path: string): Promise<void> => withDescriptor(path, flushDescriptor)

const flushDataOf = promisify(fdatasync)

async function withDescriptor(path: string, wait: (descriptor: number) => Promise<void>): Promise<void> {
  const descriptor = openSync(path, 'r')
  try {
    await wait(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** As `flush`, of a directory in which many files come at once. */
export const flushDirectory = (path: string): Promise<void> => shared(path, flush)

/** As `flush`, of a file to which many write at once: all its bytes, but not when it was written. */
export const flushData = (path: string): Promise<void> =>
  shared(path, () => withDescriptor(path, flushDataOf))

interface Flushing {
  readonly running: Promise<void>
  /** For those who came since: what they changed may be too late for the running one. */
  next?: Promise<void>
}
const flushing = new Map<string, Flushing>()

/** All that come while one flush of a path runs share the next. */
function shared(path: string, work: (path: string) => Promise<void>): Promise<void> {
  const known = flushing.get(path)
  if (known === undefined) return begin(path, work)
  const again = () => begin(path, work)
  known.next ??= known.running.then(again, again)
  return known.next
}

function begin(path: string, work: (path: string) => Promise<void>): Promise<void> {
  const running = work(path).finally(() => {
    if (flushing.get(path)?.next === undefined) flushing.delete(path)
  })
  flushing.set(path, {running})
  return running
}
