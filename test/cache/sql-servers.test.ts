import {after, before, describe} from 'node:test'
import {describeCache} from '../contracts/cache.js'
import {startService} from '../services/index.js'
import type {DatabaseServer} from '../services/postgresql.js'
import {needs} from '../support/needs.js'
import {open} from './open-sql.js'

for (const name of ['postgresql', 'mariadb'] as const) {
  describe(`SQL cache on ${name}`, needs(name), () => {
    let server: DatabaseServer
    before(async () => {
      server = await startService(name)
    })
    after(() => server[Symbol.asyncDispose]())
    describeCache(
      `sql (new database on ${name})`,
      () => open(server.url),
      {},
      () => ({module: new URL('./open-sql.js', import.meta.url).href, argument: server.url}),
      {wholeSeconds: name === 'mariadb'},
    )
  })
}
