import type {Config} from '../../config/config.js'
import {operationFields} from '../../config/schema/operation.js'
import type {ServerLog} from '../logging.js'
import type {Counts, Metrics} from './metrics.js'

/** Counters, if the config wants metrics. Their library loads only then. */
export async function openMetrics(config: Config): Promise<Metrics | undefined> {
  if (config.read(operationFields).metricsPort === undefined) return undefined
  const {Metrics} = await import('./metrics.js')
  return new Metrics()
}

/** Listens where the config says. @param counts of all processes. @throws {ListenFailed} */
export async function serveMetrics(
  config: Config,
  {logger}: ServerLog,
  counts: () => Promise<readonly Counts[]>,
): Promise<{close: () => void}> {
  const {metricsHost: host, metricsPort: port = 0} = config.read(operationFields)
  const {openMetricsServer} = await import('./metrics-server.js')
  const server = await openMetricsServer({host, port}, counts)
  logger.info({url: server.url}, 'metrics')
  return server
}
