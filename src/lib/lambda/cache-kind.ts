import {sqlCacheFields} from '../config/schema/cache.js'
import type {Config} from '../config/config.js'
import {shortNames} from '../config/schema/index.js'
import {UsageError} from '../errors.js'
import {parseDatabaseUrl} from '../sql/url.js'

/** The caches that a Lambda can feed: one bundle each. */
export const cacheKinds = ['dynamo', 'redis', 'postgresql', 'mysql'] as const
export type CacheKind = (typeof cacheKinds)[number]

/** Which of them a config names. @throws {UsageError} saying why it is none. */
export function cacheKindOf(config: Config): CacheKind {
  const {db} = config.core
  const {db: name} = shortNames(config)
  const place = `${config.file}: pypi.db`
  if (name === 'dynamo' || name === 'redis') return name
  if (name !== 'sql') {
    throw new UsageError(
      `${place}: "${db}" is a module of your own, and a bundle has only dynamo, redis, PostgreSQL and MySQL`,
    )
  }
  const {dialect} = parseDatabaseUrl(config.read(sqlCacheFields).url) ?? {}
  if (dialect === 'sqlite') {
    throw new UsageError(
      `${config.file}: db.url: a SQLite database is a file of one machine, which no Lambda can reach`,
      {hint: 'Keep the cache in DynamoDB, Redis, PostgreSQL or MySQL.'},
    )
  }
  if (dialect === undefined) throw new UsageError(`${config.file}: db.url: found no database URL`)
  return dialect
}
