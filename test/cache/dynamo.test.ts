import {after, before, describe} from 'node:test'
import {describeCache} from '../contracts/cache.js'
import {startService, type Service} from '../services/index.js'
import {needs} from '../support/needs.js'
import {open} from './open-dynamo.js'

const module = new URL('./open-dynamo.js', import.meta.url).href
const excused = {
  'takes the lock of a killed process over, after its expiry and not before':
    'DynamoDB has no clock: who finds a lock watches it for its expiry before it answers',
}

for (const name of ['moto', 'dynalite'] as const) {
  describe(`DynamoDB cache on ${name}`, needs(name), () => {
    let service: Service
    before(async () => {
      service = await startService(name)
    })
    after(() => service[Symbol.asyncDispose]())
    describeCache(
      `dynamo (${name})`,
      () => open(service.url),
      excused,
      () => ({module, argument: service.url}),
    )
  })
}
