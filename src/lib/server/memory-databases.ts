import type {Config} from '../config/config.js'
import {sqlAccessFields} from '../config/schema/access.js'
import {sqlCacheFields} from '../config/schema/cache.js'

/** Keys that name a database in memory, which belongs to one process and ends with its connection (RULES 14). */
export function memoryDatabases(config: Config): string[] {
  const urls = [
    ...(config.core.db === 'sql' ? [['db.url', config.read(sqlCacheFields).url] as const] : []),
    ...(config.core.auth === 'sql' ? [['auth.db.url', config.read(sqlAccessFields).url] as const] : []),
  ]
  return urls
    .filter(([, url]) => /^sqlite(?:\+\w+)?:(?:\/\/\/?)?(?::memory:.*)?$/.test(url))
    .map(([key]) => key)
}
