import type {Cache} from '../../src/lib/cache/cache.js'
import {openRedisCacheAt} from '../../src/lib/cache/redis/redis.js'

/** For other processes of the contract's suite: `redis://127.0.0.1:PORT/0`, and with `cluster ` in front a cluster. */
export function open(place: string): Promise<Cache> {
  const [url = '', kind] = place.split(' ').reverse()
  return openRedisCacheAt(url, where, kind === 'cluster' ? {clusterNodes: []} : {})
}
const where = {file: 'server.ini', key: 'db.url'}
