import assert from 'node:assert/strict'
import {readFileSync} from 'node:fs'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {fixtures} from '../support/paths.js'
import type {FakeUpstream} from '../support/upstream.js'
import {undeclaredAnswers} from './declared-answers.js'
import {copyPypicloudState, install, type Installation} from './installation.js'
import {differences} from './replay/compare.js'
import {injectOptions, readSession} from './replay/exchange.js'
import {expectedDifference} from './replay/exceptions.js'
import {at, exchangeAt, recordedUpstream} from './replay/upstream.js'

const sessions = [
  'read-none',
  'write',
  'overwrite-delete-rules',
  'bootstrap',
  'errors-accept',
  'debug-and-templates',
  'account',
  'admin-sql',
  'admin-config',
  'fallback-none',
  'fallback-none-always',
  'fallback-redirect',
  'fallback-redirect-always',
  'fallback-redirect-always-disallow',
  'fallback-cache',
  'fallback-cache-everyone',
  'fallback-cache-update-ops',
  'fallback-cache-always',
  'fallback-cache-always-update-ops',
  'fallback-cache-always-disallow',
  'fallback-cache-always-distlib',
  'fallback-url-deprecated',
]

for (const session of sessions) {
  const folder = join(fixtures, 'http', session)
  const about = JSON.parse(readFileSync(join(folder, 'session.json'), 'utf8')) as {start_state: unknown}

  describe(`pypicloud's recorded session ${session}`, () => {
    let upstream: FakeUpstream
    let server: Installation
    const cookies = new Map<string, string>()
    let undeclared: () => Promise<readonly string[]>
    before(async () => {
      upstream = await recordedUpstream()
      const recorded = at(upstream, readFileSync(join(folder, 'config.ini'), 'utf8'))
      // Signup tokens that were good then are so for some years, those of 2017 are not.
      const ini = recorded.replace('auth.signing_key', 'auth.token_expire = 290000000\nauth.signing_key')
      server = await install(ini, about.start_state === 'empty' ? undefined : copyPypicloudState)
      undeclared = undeclaredAnswers(server.app)
    })
    after(async () => {
      await server[Symbol.asyncDispose]()
      await upstream[Symbol.asyncDispose]()
    })

    for (const recorded of readSession(session)) {
      const {method, path} = recorded.request
      it(`${recorded.id} ${method} ${path}`, async () => {
        const exchange = exchangeAt(upstream, recorded)
        const answer = await server.app.inject(injectOptions(exchange, cookies))
        const [cookie] = [answer.headers['set-cookie'] ?? []].flat()
        if (exchange.saves_cookie_as !== undefined && cookie !== undefined) {
          cookies.set(exchange.saves_cookie_as, cookie.split(';')[0] ?? '')
        }
        const found = differences(exchange, answer)
        const expected = expectedDifference(exchange.id)
        if (!expected) {
          assert.deepEqual(found, [], `${String(answer.statusCode)} ${answer.payload.slice(0, 500)}`)
          return
        }
        assert.notDeepEqual(found, [], `no longer differs: ${expected.because}`)
        if (expected.status !== undefined) assert.equal(answer.statusCode, expected.status, answer.payload)
      })
    }

    it('was answered as the OpenAPI document says', async () => {
      assert.deepEqual([...new Set(await undeclared())], [])
    })
  })
}
