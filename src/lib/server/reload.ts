import cluster from 'node:cluster'
import {resolve} from 'node:path'
import {AuditLog, type AuditEntry} from '../audit-log.js'
import type {Config} from '../config/config.js'
import {operationFields} from '../config/schema/operation.js'
import {PpcError, UsageError} from '../errors.js'
import type {ServerLog} from './logging.js'
import {memoryDatabases} from './memory-databases.js'
import type {Metrics} from './operation/metrics.js'

/** What is different in a config that was read again. */
export interface ConfigChanges {
  /** Keys, sorted: which, not what, since some are secret. */
  readonly changed: readonly string[]
  /** Those that a running server can not change. */
  readonly needRestart: readonly string[]
}

/** Sockets, processes and files of a running server. */
const fixed = new Set(['metrics.port', 'metrics.host', 'host', 'port', 'workers', 'logFile'])

/** What differs in the app section, and in what `[server:main]` and the logging sections say. */
export function configChanges(before: Config, after: Config): ConfigChanges {
  const values = ({settings, server}: Config): Map<string, string> =>
    new Map([
      ...[...settings].map(([key, {value}]) => [key, value] as const),
      ...Object.entries(server).map(([key, value]) => [key, JSON.stringify(value)] as const),
    ])
  const [old, now] = [values(before), values(after)]
  const changed = [...new Set([...old.keys(), ...now.keys()])]
    .filter(key => old.get(key) !== now.get(key))
    .sort()
  return {changed, needRestart: changed.filter(key => fixed.has(key))}
}

/** @throws {UsageError}: what is in memory would be lost. */
export function refuseMemory(config: Config): void {
  const [key] = memoryDatabases(config)
  if (key !== undefined) throw new UsageError(`${key} is a database in memory: restart the server instead`)
}

/** Reloads one after the other, and says in one line of the log what came of each. */
export class Reloader {
  #last: Promise<void> = Promise.resolve()

  /** @param work throws when the new config can't be used; then all is as it was. */
  constructor(
    /** As it is now. */
    private readonly present: () => Config,
    private readonly log: ServerLog,
    private readonly metrics: Metrics | undefined,
    private readonly work: () => Promise<ConfigChanges>,
  ) {}

  reload(): Promise<void> {
    this.#last = this.#last.then(() => this.#reload())
    return this.#last
  }

  /** Resolves when none is under way. */
  idle(): Promise<void> {
    return this.#last
  }

  async #reload(): Promise<void> {
    const {logger} = this.log
    try {
      const changes = await this.work()
      const level = cluster.isWorker ? 'debug' : 'info' // the first process says it for all
      if (changes.changed.length === 0) logger[level]('reloaded: the config is the same')
      else logger[level](changes, 'the config was reloaded')
      this.#count('done')
      await this.#audit({result: 'done', ...changes})
    } catch (error) {
      const reason = error instanceof PpcError ? error.message : error
      logger.error({reason}, 'the config can not be used: the server goes on with the old one')
      this.#count('failed')
      await this.#audit({result: 'refused'})
    }
    this.log.flush()
  }

  /** By the first process, for all. */
  async #audit(entry: Pick<AuditEntry, 'result'>): Promise<void> {
    const config = this.present()
    const {auditFile} = config.read(operationFields)
    if (auditFile === undefined || cluster.isWorker) return
    try {
      await using audit = await AuditLog.open(resolve(config.directory, auditFile))
      await audit.record({action: 'config.reload', by: null, ...entry})
    } catch (err) {
      this.log.logger.error({err}, 'the audit log could not be written')
    }
  }

  #count(result: 'done' | 'failed'): void {
    if (cluster.isPrimary) this.metrics?.reloaded(result)
  }
}
