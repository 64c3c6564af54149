import type {Config} from '../config/config.js'
import {findBackend, type BackendEntry, type Opener} from '../registry.js'
import type {Cache} from './cache.js'

/** The values that `pypi.db` may have. */
export const caches: readonly BackendEntry<Cache>[] = [
  {
    name: 'sql',
    aliases: ['pypicloud.cache.SQLCache', 'pypicloud.cache.sql.SQLCache'],
    load: async () => (await import('./sql/sql.js')).openSqlCache,
  },
  {
    name: 'redis',
    aliases: ['pypicloud.cache.RedisCache', 'pypicloud.cache.redis_cache.RedisCache'],
    load: async () => (await import('./redis/redis.js')).openRedisCache,
  },
  {
    name: 'dynamo',
    aliases: ['pypicloud.cache.dynamo.DynamoCache'],
    load: async () => (await import('./dynamo/dynamo.js')).openDynamoCache,
  },
]

export const findCache = (config: Config): Promise<Opener<Cache>> =>
  findBackend('pypi.db', caches, config.core.db, config)
