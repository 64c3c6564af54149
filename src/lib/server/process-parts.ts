import type {SlowDown} from '../access/slow-down.js'
import type {Metrics} from './operation/metrics.js'
import type {ServerLog} from './logging.js'

/** What one server process has once, however often its config is read. */
export interface ProcessParts {
  readonly log: ServerLog
  /** Wrong passwords that were seen. */
  readonly slowDown: SlowDown
  /** Without `metrics.port`: none. */
  readonly metrics?: Metrics | undefined
}
