import type {Knex} from 'knex'
import type {Values} from '../config/fields.js'
import type {engineFields} from '../config/schema/cache.js'

/** Of a database server, as SQLAlchemy's create_engine takes it. */
export interface PoolOptions {
  /** Connections at most. */
  readonly size: number
  /** Keeps idle connections for the next use. */
  readonly keep: boolean
  /** How long to wait for a free connection. */
  readonly waitSeconds: number
  /** The age at which a connection is replaced. Undefined: never. */
  readonly recycleSeconds: number | undefined
}

/** SQLAlchemy's QueuePool (https://docs.sqlalchemy.org/en/13/core/pooling.html). */
const sqlalchemy = {size: 5, overflow: 10, waitSeconds: 30}
/** One reads a long list, one writes meanwhile, one keeps the lock alive. */
const leastConnections = 3
/** What "no limit" means to SQLAlchemy, where threads are the limit. */
const mostConnections = 50
const idleMs = 60_000

export function poolOptions(fields: Values<ReturnType<typeof engineFields>>): PoolOptions {
  const {poolSize = sqlalchemy.size, maxOverflow = sqlalchemy.overflow} = fields
  const unlimited = poolSize === 0 || maxOverflow < 0
  return {
    size: unlimited ? mostConnections : Math.max(leastConnections, poolSize + maxOverflow),
    keep: fields.poolclass?.split('.').at(-1) !== 'NullPool',
    waitSeconds: fields.poolTimeout ?? sqlalchemy.waitSeconds,
    recycleSeconds:
      fields.poolRecycle !== undefined && fields.poolRecycle > 0 ? fields.poolRecycle : undefined,
  }
}

export const defaultPool: PoolOptions = {
  size: sqlalchemy.size + sqlalchemy.overflow,
  keep: true,
  waitSeconds: sqlalchemy.waitSeconds,
  recycleSeconds: undefined,
}

/** @param validate whether an idle connection may be used again. */
export const knexPool = (
  {size, keep, waitSeconds, recycleSeconds}: PoolOptions,
  validate: (connection: object) => Promise<boolean>,
): Knex.PoolConfig => ({
  validate,
  min: 0,
  max: size,
  acquireTimeoutMillis: Math.max(1, waitSeconds * 1000),
  idleTimeoutMillis: keep ? idleMs : 1,
  ...(keep ? {} : {reapIntervalMillis: 100}),
  ...(recycleSeconds === undefined ? {} : {maxConnectionLifetimeMillis: recycleSeconds * 1000}),
})
