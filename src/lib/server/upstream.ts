import type {FastifyReply} from 'fastify'
import type {Logger} from 'pino'
import {PpcError} from '../errors.js'
import {UpstreamCopies, type CopiesParts} from '../index/upstream/copies.js'
import {MixedPages, type MixedPagesParts, type UpstreamAge} from '../index/upstream/mixed-pages.js'
import {UpstreamIndex} from '../index/upstream/upstream-index.js'
import type {UpstreamWatch} from '../index/upstream/watch.js'

/** What the routes have of the upstream index. */
export interface UpstreamServices {
  readonly index: UpstreamIndex
  readonly pages: MixedPages
  readonly copies: UpstreamCopies
}

interface Parts extends Omit<CopiesParts & MixedPagesParts, 'upstream' | 'onFetched' | 'onFailure'> {
  readonly stopping?: AbortSignal | undefined
  readonly metrics?: {readonly upstream: UpstreamWatch} | undefined
}

/** Milliseconds that transfers may go on when the server ends: who waits for one asks again. */
const patience = 30_000

/** Opens no connection yet. Whoever asked closes `index`. */
export function upstreamServices(parts: Parts, log: Logger): UpstreamServices | undefined {
  const index = UpstreamIndex.forConfig(parts.config, {
    warn: (details, message) => log.warn(details, message),
    watch: parts.metrics?.upstream,
  })
  if (!index) return undefined
  const close = () => void index[Symbol.asyncDispose]()
  parts.stopping?.addEventListener('abort', () => void setTimeout(close, patience).unref(), {once: true})
  return {
    index,
    pages: new MixedPages({
      ...parts,
      upstream: index,
      onFailure: (project, error) => {
        const reason = error instanceof PpcError ? error.message : error
        log.warn({project, reason}, 'the upstream fails: the page shows only what is here')
      },
    }),
    copies: new UpstreamCopies({
      ...parts,
      upstream: index,
      onFetched: ({filename, name}, checked) => {
        const fields = {file: filename, project: name, checked}
        if (checked === undefined) log.warn(fields, 'fetched from the upstream, which tells no digest of it')
        else log.info(fields, 'fetched from the upstream')
      },
    }),
  }
}

/** A page of the upstream says how long ago the upstream was asked (RFC 9111 §5.1). */
export function tellAge(reply: FastifyReply, {ageSeconds, isStale}: UpstreamAge): void {
  if (ageSeconds > 0 || isStale) void reply.header('age', ageSeconds)
  if (isStale) void reply.header('warning', '110 - "Response is Stale"')
}
