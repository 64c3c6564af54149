/** What the upstream is asked for. */
export type Wanted = 'page' | 'file' | 'metadata'
/** How it answered: `failed` is 5xx, 429 or nothing at all, `refused` everything else that can't be taken. */
export type UpstreamResult = 'answered' | 'unchanged' | 'absent' | 'refused' | 'failed'
/** Where a page came from: kept and fresh enough, asked for now, or kept because the upstream fails. */
export type PageSource = 'kept' | 'upstream' | 'stale'

/** Who counts what is asked of the upstream. */
export interface UpstreamWatch {
  /** @param seconds until the answer began. */
  asked(wanted: Wanted, result: UpstreamResult, seconds: number): void
  pageFrom(source: PageSource): void
}

export function resultOf(status: number): UpstreamResult {
  if (status === 304) return 'unchanged'
  if (status === 404 || status === 410) return 'absent'
  if (status >= 500 || status === 429) return 'failed'
  return status === 200 ? 'answered' : 'refused'
}
