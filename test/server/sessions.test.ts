import assert from 'node:assert/strict'
import {after, afterEach, before, describe, it, mock} from 'node:test'
import type {FastifyInstance, LightMyRequestResponse} from 'fastify'
import {openBackends} from '../../src/lib/backends.js'
import {createApp} from '../../src/lib/server/app.js'
import {testPassword, testPasswordHash} from '../support/live-server.js'
import {buildWheel} from '../support/wheels.js'
import {basic, install, type Installation} from './installation.js'
import {uploadForm} from './upload-form.js'

const iniOf = (extra: string): string => `[app:main]
use = egg:pypicloud
pypi.fallback = none
pypi.default_read = authenticated
pypi.default_write = authenticated
storage.dir = %(here)s/packages
db.url = sqlite:///%(here)s/cache.db
${extra}`
const sqlIni = iniOf(`pypi.auth = sql
auth.db.url = sqlite:///%(here)s/access.db
session.validate_key = one
session.encrypt_key = two
`)

interface LoggedIn {
  readonly cookie: string
  readonly token: string
  readonly answer: LightMyRequestResponse
}
const cookieOf = (answer: LightMyRequestResponse): string => {
  const [header = ''] = [answer.headers['set-cookie'] ?? ''].flat()
  return header.split(';')[0] ?? ''
}
async function logIn(
  app: FastifyInstance,
  username: string,
  password = testPassword,
  headers = {},
): Promise<LoggedIn> {
  const answer = await app.inject({
    method: 'POST',
    url: '/acct/login',
    payload: {username, password},
    headers,
  })
  assert.equal(answer.statusCode, 200, answer.payload)
  return {cookie: cookieOf(answer), token: answer.json<{csrf_token: string}>().csrf_token, answer}
}
/** What only somebody who is logged in gets. */
const statusOf = async (app: FastifyInstance, cookie: string): Promise<number> =>
  (await app.inject({url: '/api/package/nothing/', headers: {cookie}})).statusCode

describe('a session by cookie', () => {
  let server: Installation
  before(async () => {
    server = await install(sqlIni)
  })
  after(() => server[Symbol.asyncDispose]())
  afterEach(() => mock.timers.reset())
  const writer = () => server.backends.access.writer!
  const addUser = (username: string, admin = false) =>
    writer().addAccount({username, passwordHash: testPasswordHash, admin, pending: false})
  /** Another server on the same databases. */
  const beside = async (use: (app: FastifyInstance) => Promise<void>, config = server.config) => {
    await using backends = await openBackends(config, ['storage', 'cache', 'access'])
    const app = createApp({...backends, config})
    try {
      await use(app)
    } finally {
      await app.close()
    }
  }

  it('is hidden from scripts and other sites, and shows nothing of what it holds', async () => {
    await addUser('amy')
    const {answer, cookie} = await logIn(server.app, 'amy')
    const header = String(answer.headers['set-cookie'])
    assert.match(header, /^beaker\.session\.id=[\w-]+; Path=\/; HttpOnly; SameSite=Lax$/)
    assert.doesNotMatch(Buffer.from(cookie.split('=')[1]!, 'base64url').toString('latin1'), /amy/)
    assert.equal(await statusOf(server.app, cookie), 200)
    const page = await server.app.inject({url: '/simple/', headers: {cookie}})
    assert.match(String(page.headers['cache-control']), /private/)
    assert.match(String(page.headers['vary']), /Cookie/)
  })

  it('gives what the configuration says', async () => {
    const other = await install(
      `${sqlIni}session.key = ours\nsession.secure = true\nsession.samesite = Strict\nsession.cookie_path = /x\n` +
        'session.cookie_domain = example.com\nsession.cookie_expires = false\nsession.httponly = false\n',
    )
    try {
      await other.backends.access.writer!.addAccount({
        username: 'amy',
        passwordHash: testPasswordHash,
        admin: false,
        pending: false,
      })
      const {answer, cookie} = await logIn(other.app, 'amy')
      assert.match(
        String(answer.headers['set-cookie']),
        /^ours=[\w-]+; Max-Age=3600; Domain=example\.com; Path=\/x; SameSite=Strict; Secure$/,
      )
      assert.equal(await statusOf(other.app, cookie), 200)
    } finally {
      await other[Symbol.asyncDispose]()
    }
  })

  it('ends with a log-out, on every server at once', async () => {
    await addUser('bea')
    const first = await logIn(server.app, 'bea')
    const second = await logIn(server.app, 'bea')
    await beside(async app => {
      assert.equal(await statusOf(app, first.cookie), 200)
      const answer = await server.app.inject({url: '/acct/logout', headers: {cookie: first.cookie}})
      assert.equal(answer.statusCode, 302)
      assert.match(String(answer.headers['set-cookie']), /^beaker\.session\.id=; Max-Age=0; /)
      for (const each of [app, server.app]) {
        assert.equal(await statusOf(each, first.cookie), 401)
        assert.equal(await statusOf(each, second.cookie), 401, 'of other browsers too')
      }
      assert.equal(await statusOf(app, (await logIn(server.app, 'bea')).cookie), 200)
    })
  })

  it('ends with the password, but for the browser that changed it', async () => {
    await addUser('cid')
    const [here, elsewhere] = [await logIn(server.app, 'cid'), await logIn(server.app, 'cid')]
    const answer = await server.app.inject({
      method: 'POST',
      url: '/api/user/password',
      payload: {old_password: testPassword, new_password: 'another one'},
      headers: {cookie: here.cookie, 'x-csrf-token': here.token},
    })
    assert.equal(answer.statusCode, 200, answer.payload)
    assert.equal(await statusOf(server.app, elsewhere.cookie), 401)
    assert.equal(await statusOf(server.app, here.cookie), 401)
    assert.equal(await statusOf(server.app, cookieOf(answer)), 200)
  })

  it('ends with the account, also for the next one of that name', async () => {
    await addUser('dan')
    const {cookie} = await logIn(server.app, 'dan')
    await writer().deleteUser('dan')
    assert.equal(await statusOf(server.app, cookie), 401)
    const {hashPassword} = await import('../../src/lib/access/passwords/index.js')
    await writer().addAccount({
      username: 'dan',
      passwordHash: await hashPassword(testPassword),
      admin: true,
      pending: false,
    })
    assert.equal(await statusOf(server.app, cookie), 401)
  })

  it('has the rights that the user has now', async () => {
    await addUser('eve', true)
    const {cookie} = await logIn(server.app, 'eve')
    const admin = () => server.app.inject({url: '/admin/user', headers: {cookie}})
    assert.equal((await admin()).statusCode, 200)
    await writer().setAdmin('eve', false)
    assert.equal((await admin()).statusCode, 403)
  })

  it('ends after an hour, whatever happens', async () => {
    await addUser('fay')
    mock.timers.enable({apis: ['Date'], now: Date.now()})
    const {cookie} = await logIn(server.app, 'fay')
    mock.timers.tick(3_590_000)
    assert.equal(await statusOf(server.app, cookie), 200)
    mock.timers.tick(10_000)
    assert.equal(await statusOf(server.app, cookie), 401)
  })

  it('ends when nothing came for session.timeout, and goes on when something did', async () => {
    const other = await install(`${sqlIni}session.timeout = 100\n`)
    try {
      await other.backends.access.writer!.addAccount({
        username: 'amy',
        passwordHash: testPasswordHash,
        admin: false,
        pending: false,
      })
      mock.timers.enable({apis: ['Date'], now: Date.now()})
      const {cookie} = await logIn(other.app, 'amy')
      mock.timers.tick(60_000)
      const answer = await other.app.inject({url: '/api/package/nothing/', headers: {cookie}})
      const renewed = cookieOf(answer)
      assert.notEqual(renewed, '')
      mock.timers.tick(60_000)
      assert.equal(await statusOf(other.app, cookie), 401)
      assert.equal(await statusOf(other.app, renewed), 200)
    } finally {
      await other[Symbol.asyncDispose]()
    }
  })

  it('is always a new one: nobody can give somebody else theirs', async () => {
    await addUser('gil')
    const given = await logIn(server.app, 'gil')
    const own = await logIn(server.app, 'gil', testPassword, {cookie: given.cookie})
    assert.notEqual(own.cookie, given.cookie)
    assert.notEqual(own.token, given.token)
    const refused = await server.app.inject({
      method: 'POST',
      url: '/api/user/password',
      payload: {old_password: testPassword, new_password: 'x'},
      headers: {cookie: own.cookie, 'x-csrf-token': given.token},
    })
    assert.equal(refused.statusCode, 403)
  })

  it('loses to Basic credentials, right or wrong', async () => {
    await addUser('hal', true)
    const {cookie} = await logIn(server.app, 'hal')
    await addUser('ida')
    const ask = async (authorization: string) =>
      (await server.app.inject({url: '/admin/user', headers: {cookie, authorization}})).statusCode
    assert.equal(await ask(basic('ida', testPassword)), 403)
    assert.equal(await ask(basic('ida', 'wrong')), 401)
    assert.equal(await ask('Basic !!!'), 200, 'what can not be read counts as none')
  })

  describe('that nobody gave', () => {
    const damaged: Record<string, (cookie: string) => string> = {
      'text of any kind': () => 'beaker.session.id=garbage',
      nothing: () => 'beaker.session.id=',
      'a number sign alone': () => '=;;; =',
      'a pickle of pypicloud': () =>
        'beaker.session.id=9d1d446bee42c26477d347858b569e45a18fc50aWA2AuYcOmPB+0FtPgIG4Aw==7fillCtZ3ExedFSJUL7qWSxj',
      'ten thousand characters': () => `beaker.session.id=${'A'.repeat(10_000)}`,
      'a changed character': cookie =>
        `${cookie.slice(0, 60)}${cookie[60] === 'A' ? 'B' : 'A'}${cookie.slice(61)}`,
      'a cut end': cookie => cookie.slice(0, -8),
      'an appended one': cookie => `${cookie}AAAA`,
      'a name that is longer': cookie => `x${cookie}`,
    }
    for (const [title, damage] of Object.entries(damaged)) {
      it(`is nobody's: ${title}`, async () => {
        const {cookie} = await logIn(server.app, 'amy')
        assert.equal(await statusOf(server.app, damage(cookie)), 401)
      })
    }
    it("is nobody's: of another signing key", async () => {
      for (const keys of [
        'session.validate_key = three\nsession.encrypt_key = two\n',
        'session.validate_key = one\n',
      ]) {
        const other = await install(iniOf(`pypi.auth = config\nuser.amy = ${testPasswordHash}\n${keys}`))
        try {
          const {cookie} = await logIn(other.app, 'amy')
          assert.equal(await statusOf(other.app, cookie), 200, 'good where it was given')
          assert.equal(await statusOf(server.app, cookie), 401)
        } finally {
          await other[Symbol.asyncDispose]()
        }
      }
    })
  })

  describe('changes something', () => {
    let admin: LoggedIn
    before(async () => {
      await addUser('root', true)
      admin = await logIn(server.app, 'root')
    })
    const change = async (headers: Record<string, string>): Promise<number> => {
      const answer = await server.app.inject({
        method: 'PUT',
        url: '/admin/group/makers',
        headers: {host: 'pypi.example.com', cookie: admin.cookie, ...headers},
      })
      const made = (await server.backends.access.listGroups()).includes('makers')
      assert.equal(made, answer.statusCode === 200)
      if (made) await writer().deleteGroup('makers')
      return answer.statusCode
    }
    it('only with its token', async () => {
      const other = await logIn(server.app, 'amy')
      assert.equal(await change({}), 403)
      for (const token of ['', 'x', other.token, `${admin.token}x`])
        assert.equal(await change({'x-csrf-token': token}), 403)
      assert.equal(await change({'x-csrf-token': admin.token}), 200)
    })
    it('never for a page of another site', async () => {
      const token = {'x-csrf-token': admin.token}
      for (const foreign of [
        {origin: 'https://evil.example'},
        {origin: 'null'},
        {'sec-fetch-site': 'cross-site'},
        {'sec-fetch-site': 'same-site'},
      ]) {
        assert.equal(await change({...foreign, ...token}), 403, JSON.stringify(foreign))
      }
      assert.equal(
        await change({origin: 'http://pypi.example.com', 'sec-fetch-site': 'same-origin', ...token}),
        200,
      )
    })
    it('not by GET: a rebuild needs POST and the token', async () => {
      const rebuild = async (method: 'GET' | 'PUT' | 'POST', headers = {}) =>
        (
          await server.app.inject({
            method,
            url: '/admin/rebuild',
            headers: {cookie: admin.cookie, ...headers},
          })
        ).statusCode
      assert.equal(await rebuild('GET'), 403)
      assert.equal(await rebuild('POST'), 403)
      assert.equal(await rebuild('PUT', {'x-csrf-token': admin.token}), 403)
      assert.equal(await rebuild('POST', {'x-csrf-token': admin.token}), 202)
    })
    it('an upload too', async () => {
      const wheel = await buildWheel({name: 'by-cookie', version: '1.0'})
      const form = uploadForm(wheel, {name: 'by-cookie', version: '1.0'})
      const send = async (headers: Record<string, string>) =>
        (
          await server.app.inject({
            method: 'POST',
            url: '/simple/',
            payload: form.payload,
            headers: {...form.headers, cookie: admin.cookie, ...headers},
          })
        ).statusCode
      assert.equal(await send({}), 403)
      assert.equal(await send({'x-csrf-token': admin.token}), 200)
    })
    it('a log-out of another site does not happen', async () => {
      const {cookie, token} = await logIn(server.app, 'root')
      const out = async (method: 'GET' | 'POST', headers: Record<string, string>) =>
        (await server.app.inject({method, url: '/acct/logout', headers: {cookie, ...headers}})).statusCode
      assert.equal(await out('GET', {'sec-fetch-site': 'cross-site'}), 403)
      assert.equal(await out('POST', {}), 403)
      assert.equal(await statusOf(server.app, cookie), 200)
      assert.equal(await out('POST', {'x-csrf-token': token}), 302)
      assert.equal(await statusOf(server.app, cookie), 401)
    })
  })

  it('begins with the first administrator, and with a signup token', async () => {
    const fresh = await install(`${sqlIni}auth.signing_key = k\n`)
    try {
      const first = await fresh.app.inject({method: 'PUT', url: '/api/user/first', payload: {password: 'pw'}})
      const cookie = cookieOf(first)
      assert.equal((await fresh.app.inject({url: '/admin/user', headers: {cookie}})).statusCode, 200)
      const {token} = (await fresh.app.inject({url: '/admin/token/guest', headers: {cookie}})).json<{
        token: string
      }>()
      for (const path of ['/tokenRegister', '/acct/tokenRegister']) {
        const answer = await fresh.app.inject({method: 'PUT', url: path, payload: {token, password: 'g'}})
        if (path === '/tokenRegister') assert.equal(await statusOf(fresh.app, cookieOf(answer)), 200)
        else assert.equal(answer.statusCode, 400, 'the user exists now')
      }
    } finally {
      await fresh[Symbol.asyncDispose]()
    }
  })

  it('needs session.validate_key, and says so', async () => {
    const other = await install(iniOf(`pypi.auth = config\nuser.amy = ${testPasswordHash}\n`))
    try {
      const answer = await other.app.inject({
        method: 'POST',
        url: '/login',
        payload: {username: 'amy', password: testPassword},
      })
      assert.equal(answer.statusCode, 400)
      assert.match(answer.payload, /session\.validate_key/)
    } finally {
      await other[Symbol.asyncDispose]()
    }
  })
})
