import {Redis} from 'ioredis'

export interface RawRedis extends AsyncDisposable {
  readonly client: Redis
  /** Every key below `pypicloud:`, in the form of the fixtures. */
  keys(): Promise<Record<string, RawKey>>
  load(keys: Readonly<Record<string, RawKey>>): Promise<void>
}
export interface RawKey {
  readonly type: 'set' | 'hash'
  readonly value: readonly string[] | Readonly<Record<string, string>>
  readonly ttl: number
}

/** What another program does to a database, and sees in it. */
export function rawRedis(url: string): RawRedis {
  const client = new Redis(url)
  return {
    client,
    async keys() {
      const found: Record<string, RawKey> = {}
      for (const key of (await client.keys('pypicloud:*')).sort()) {
        const isSet = (await client.type(key)) === 'set'
        const value = isSet ? (await client.smembers(key)).sort() : await client.hgetall(key)
        found[key] = {type: isSet ? 'set' : 'hash', value, ttl: await client.ttl(key)}
      }
      return found
    },
    async load(keys) {
      for (const [key, {value}] of Object.entries(keys)) {
        if (isList(value)) await client.sadd(key, ...value)
        else await client.hset(key, value)
      }
    },
    async [Symbol.asyncDispose]() {
      await client.quit()
    },
  }
}
const isList = (value: RawKey['value']): value is readonly string[] => Array.isArray(value)
