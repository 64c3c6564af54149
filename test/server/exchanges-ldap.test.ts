import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {startService} from '../services/index.js'
import {needs} from '../support/needs.js'
import {fixtures} from '../support/paths.js'
import type {Slapd} from '../access/tree.js'
import {copyPypicloudState, install, type Installation} from './installation.js'
import {differences} from './replay/compare.js'
import {injectOptions, readSession} from './replay/exchange.js'

const folder = join(fixtures, 'ldap')
const sessions = [
  'anonymous-bind',
  'dn-format-member-group',
  'dn-format-unique-group',
  'search-admin-field',
  'search-fallback-config',
  'search-ignore-multiple',
]

const withAdmin = '(?:dn-format-unique-group|search-admin-field|search-fallback-config)'

/** What we answer otherwise on purpose, as in `replay/exceptions.ts`. */
const differing: readonly {exchange: RegExp; status?: number}[] = [
  // names are escaped: they are no filters
  {exchange: /^search-.*-wildcard$/, status: 401},
  // two entries of one name are nobody, not a failure
  {exchange: /^search-(?:admin-field|fallback-config).*-twin[12]$/, status: 401},
  // users that the directory does not have are none
  {exchange: new RegExp(`^${withAdmin}/027-admin-user-unknown$`)},
  // a caller's mistake
  {exchange: new RegExp(`^${withAdmin}/029-admin-create-user$|/030-password$`), status: 400},
  // the rules of the file can be exported
  {exchange: /^search-fallback-config\/032-acl$/, status: 200},
]

describe('the recorded sessions of pypicloud with a directory', needs('slapd', 'openssl'), () => {
  let slapd: Slapd
  before(async () => {
    const ldif = readFileSync(join(folder, 'directory.ldif'), 'utf8')
    slapd = await startService('slapd', {suffix: 'dc=example,dc=org', ldif})
  })
  after(() => slapd[Symbol.asyncDispose]())

  for (const session of sessions) {
    describe(session, () => {
      let server: Installation
      before(async () => {
        const ini = readFileSync(join(folder, session, 'config.ini'), 'utf8')
        server = await install(ini.replace('ldap://127.0.0.1:389', slapd.url), copyPypicloudState)
      })
      after(() => server[Symbol.asyncDispose]())

      for (const exchange of readSession(session, folder)) {
        it(exchange.id, async () => {
          const answer = await server.app.inject(injectOptions(exchange))
          const found = differences(exchange, answer)
          const difference = differing.find(candidate => candidate.exchange.test(exchange.id))
          if (!difference) {
            assert.deepEqual(found, [], `${String(answer.statusCode)} ${answer.payload.slice(0, 500)}`)
            return
          }
          assert.notDeepEqual(found, [], 'no longer differs')
          if (difference.status !== undefined)
            assert.equal(answer.statusCode, difference.status, answer.payload)
        })
      }
    })
  }
})
