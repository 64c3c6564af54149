import type {Cache} from '../../src/lib/cache/cache.js'
import {openSqlCacheAt, type SqlCache} from '../../src/lib/cache/sql/sql.js'

const where = {file: 'server.ini', key: 'db.url'}

/** For other processes of the contract's suite. */
export const open = (url: string): Promise<Cache> => openSqlCacheAt(url, where)

export const openFile = (path: string, busySeconds = 5): Promise<SqlCache> =>
  openSqlCacheAt(`sqlite:///${path}`, where, {busySeconds})
