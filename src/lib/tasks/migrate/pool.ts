/**
 * Runs `work` for every entry, at most `limit` at once, and never reads further ahead than that.
 * The first failure, or `signal`, ends it: what is running is awaited, nothing new begins.
 */
export async function forEachAtOnce<T>(
  entries: AsyncIterable<T>,
  limit: number,
  work: (entry: T) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const iterator = entries[Symbol.asyncIterator]()
  let failure: {error: unknown} | undefined
  const runner = async () => {
    while (failure === undefined) {
      try {
        signal?.throwIfAborted()
        const next = await iterator.next()
        if (next.done === true) return
        await work(next.value)
      } catch (error) {
        failure ??= {error}
      }
    }
  }
  await Promise.all(Array.from({length: limit}, runner))
  await iterator.return?.()
  if (failure !== undefined) throw failure.error
}
