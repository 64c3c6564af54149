import {closeSync, fsync, openSync} from 'node:fs'
import {promisify} from 'node:util'

/**
 * Waits until what was written through `descriptor` is on the disk. Only the waiting leaves this thread: an upload makes
 * some twenty small calls, and handing each to another thread and back costs several times what the call does.
 */
export const flushDescriptor = promisify(fsync)

/** As `flushDescriptor`, of a file or of the names in a directory. */
export async function flush(path: string): Promise<void> {
  const descriptor = openSync(path, 'r')
  try {
    await flushDescriptor(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

interface Flushing {
  readonly running: Promise<void>
  /** For those who came since: what they changed may be too late for the running one. */
  next?: Promise<void>
}
const flushing = new Map<string, Flushing>()

/** As `flush`, of a directory in which many files come at once: all that come while one flush runs share the next. */
export function flushDirectory(path: string): Promise<void> {
  const known = flushing.get(path)
  if (known === undefined) return begin(path)
  known.next ??= known.running.then(
    () => begin(path),
    () => begin(path),
  )
  return known.next
}

function begin(path: string): Promise<void> {
  const running = flush(path).finally(() => {
    if (flushing.get(path)?.next === undefined) flushing.delete(path)
  })
  flushing.set(path, {running})
  return running
}
