import prometheus from 'prom-client'
import type {UpstreamWatch} from '../../index/upstream/watch.js'

/** Of the beginnings of answers, in seconds. */
const buckets = [0.01, 0.05, 0.2, 1, 5, 20]

/** Counts in `registry` what is asked of the upstream. */
export function upstreamMetrics(registry: prometheus.Registry): UpstreamWatch {
  const registers = [registry]
  const requests = new prometheus.Counter({
    name: 'ppc_upstream_requests_total',
    help: 'Requests to the upstream index: for pages, files and metadata, by how it answered.',
    labelNames: ['wanted', 'result'],
    registers,
  })
  const durations = new prometheus.Histogram({
    name: 'ppc_upstream_request_duration_seconds',
    help: 'Until the answer of the upstream began.',
    labelNames: ['wanted'],
    buckets,
    registers,
  })
  const pages = new prometheus.Counter({
    name: 'ppc_upstream_pages_total',
    help: 'Pages of the upstream that were needed: kept from before, asked for, or stale because it fails.',
    labelNames: ['from'],
    registers,
  })
  return {
    asked(wanted, result, seconds) {
      requests.inc({wanted, result})
      durations.observe({wanted}, seconds)
    },
    pageFrom: from => pages.inc({from}),
  }
}
