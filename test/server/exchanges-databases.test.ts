import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {startService} from '../services/index.js'
import type {DatabaseServer} from '../services/postgresql.js'
import {sqlClient} from '../services/sql-client.js'
import {needs} from '../support/needs.js'
import {fixtures} from '../support/paths.js'
import {copyPypicloudState, install, type Installation} from './installation.js'
import {differences} from './replay/compare.js'
import {expectedDifference} from './replay/exceptions.js'
import {injectOptions, readSession} from './replay/exchange.js'

/** What we answer otherwise on purpose, as in the session on SQLite: see `replay/exceptions.ts`. */
const asOnSqlite = ['021', '031', '032', '036', '039', '062', '075', '080', '084']
/** And what pypicloud can do on SQLite alone. */
const own: Readonly<Record<string, {readonly status: number; readonly because: string}>> = {
  '024': {status: 200, because: 'the files of the copy have times of their own'},
  '048': {status: 404, because: 'a recorded 500 for a caller’s mistake becomes 4xx'},
  '050': {status: 200, because: 'rules for everyone work on every database'},
  '051': {status: 404, because: 'a recorded 500 for a caller’s mistake becomes 4xx'},
  '055': {status: 200, because: 'the rule for everyone is there'},
  '059': {status: 200, because: 'the rule for everyone is there'},
}
const differenceOf = (id: string): {readonly status?: number; readonly because: string} | undefined => {
  const number = /\/(\d+)/.exec(id)?.[1] ?? ''
  return asOnSqlite.includes(number) ? expectedDifference(`admin-sql/${number}`) : own[number]
}

for (const service of ['postgresql', 'mariadb'] as const) {
  const session = `admin-${service}`

  describe(`pypicloud's recorded session ${session}`, needs(service), () => {
    let database: DatabaseServer
    let server: Installation
    before(async () => {
      database = await startService(service)
      let ini = readFileSync(join(fixtures, 'http', session, 'config.ini'), 'utf8')
      for (const name of ['cache', 'access']) {
        const url = await database.createDatabase()
        await using client = await sqlClient(url)
        await client.run(readFileSync(join(fixtures, `sql/${name}.${service}.sql`), 'utf8'))
        ini = ini.replace(new RegExp(`= \\S+//\\S+/${name}\\b.*$`, 'm'), `= ${url}`)
      }
      server = await install(ini, copyPypicloudState)
    })
    after(async () => {
      await server[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
    })

    for (const exchange of readSession(session)) {
      const {method, path} = exchange.request
      it(`${exchange.id} ${method} ${path}`, async () => {
        const answer = await server.app.inject(injectOptions(exchange))
        const found = differences(exchange, answer)
        const expected = differenceOf(exchange.id)
        if (!expected) {
          assert.deepEqual(found, [], `${String(answer.statusCode)} ${answer.payload.slice(0, 500)}`)
          return
        }
        assert.notDeepEqual(found, [], `no longer differs: ${expected.because}`)
        if (expected.status !== undefined) assert.equal(answer.statusCode, expected.status, answer.payload)
      })
    }
  })
}
