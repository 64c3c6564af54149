import type {FastifyInstance} from 'fastify'
import prometheus from 'prom-client'
import type {UpstreamWatch} from '../../index/upstream/watch.js'
import {backendNames, type Readiness} from './readiness.js'
import {upstreamMetrics} from './upstream-metrics.js'

/** What one process has counted, to be summed with others'. */
export type Counts = Awaited<ReturnType<prometheus.Registry['getMetricsAsJSON']>>

/** Of answers, in seconds: pages take one millisecond, uploads minutes. */
const buckets = [0.001, 0.005, 0.02, 0.1, 0.5, 2, 10, 60]

/** What one process counts. Labels have few values: routes of the table, never paths, names or users. */
export class Metrics {
  readonly upstream: UpstreamWatch
  readonly #registry = new prometheus.Registry()
  readonly #requests: prometheus.Counter<'method' | 'route' | 'status'>
  readonly #durations: prometheus.Histogram<'method' | 'route'>
  readonly #inFlight: prometheus.Gauge
  readonly #failedLogins: prometheus.Counter
  readonly #reloads: prometheus.Counter<'result'>
  #readiness: Readiness | undefined

  constructor() {
    const registers = [this.#registry]
    prometheus.collectDefaultMetrics({register: this.#registry})
    this.upstream = upstreamMetrics(this.#registry)
    this.#requests = new prometheus.Counter({
      name: 'ppc_http_requests_total',
      help: 'Requests that were answered, by the route of /openapi.json.',
      labelNames: ['method', 'route', 'status'],
      registers,
    })
    this.#durations = new prometheus.Histogram({
      name: 'ppc_http_request_duration_seconds',
      help: 'Until the last byte of the answer was handed over.',
      labelNames: ['method', 'route'],
      buckets,
      registers,
    })
    this.#inFlight = new prometheus.Gauge({
      name: 'ppc_http_requests_in_flight',
      help: 'Requests that are being answered.',
      registers,
    })
    this.#failedLogins = new prometheus.Counter({
      name: 'ppc_logins_failed_total',
      help: 'Wrong passwords.',
      registers,
    })
    this.#reloads = new prometheus.Counter({
      name: 'ppc_config_reloads_total',
      help: 'Reloads of the config by SIGHUP: done, or failed.',
      labelNames: ['result'],
      registers,
    })
    const up = new prometheus.Gauge({
      name: 'ppc_backend_up',
      help: '1 when the backend works, else 0.',
      labelNames: ['backend'],
      aggregator: 'min',
      registers,
      collect: () => {
        const problems = this.#readiness?.problems()
        for (const backend of problems ? backendNames : [])
          up.set({backend}, problems?.[backend] === '' ? 1 : 0)
      },
    })
  }

  /** Counts the requests of `app`, and tells of its backends from now on. */
  watch(app: FastifyInstance, readiness: Readiness): void {
    this.#readiness = readiness
    app.addHook('onRequest', (_request, reply, done) => {
      this.#inFlight.inc()
      reply.raw.once('close', () => this.#inFlight.dec())
      done()
    })
    app.addHook('onResponse', ({method, routeOptions: {url: route = 'none'}}, reply, done) => {
      this.answered(method, route, reply.statusCode, reply.elapsedTime)
      done()
    })
  }

  answered(method: string, route: string, status: number, ms: number): void {
    this.#requests.inc({method, route, status})
    this.#durations.observe({method, route}, ms / 1000)
  }

  loginFailed(): void {
    this.#failedLogins.inc()
  }
  reloaded(result: 'done' | 'failed'): void {
    this.#reloads.inc({result})
  }

  counts(): Promise<Counts> {
    return this.#registry.getMetricsAsJSON()
  }
}

/** In the text format of Prometheus: sums over the processes, or what else is meant for a figure. */
export const formatMetrics = (processes: readonly Counts[]): Promise<string> =>
  prometheus.AggregatorRegistry.aggregate([...processes]).metrics()

export const metricsType: string = prometheus.contentType
