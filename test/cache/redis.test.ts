import {after, before, describe} from 'node:test'
import {describeCache} from '../contracts/cache.js'
import {startService, type Service} from '../services/index.js'
import {needs} from '../support/needs.js'
import {open} from './open-redis.js'

for (const kind of ['redis', 'redis-cluster'] as const) {
  describe(`${kind} server`, needs('redis'), () => {
    let server: Service
    before(async () => {
      server = await startService(kind)
    })
    after(() => server[Symbol.asyncDispose]())
    const place = () => (kind === 'redis' ? `${server.url}/3` : `cluster ${server.url}`)
    describeCache(
      kind,
      () => open(place()),
      {},
      () => ({module: new URL('./open-redis.js', import.meta.url).href, argument: place()}),
    )
  })
}
