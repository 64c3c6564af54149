import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import type {InjectOptions} from 'fastify'
import {createToken, type TokenRequest} from '../../src/lib/tasks/api-tokens.js'
import {testPassword, testPasswordHash} from '../support/live-server.js'
import {buildWheel} from '../support/wheels.js'
import {basic, install, type Installation} from './installation.js'
import {uploadForm} from './upload-form.js'

const ini = `[app:main]
use = egg:pypicloud
pypi.fallback = none
storage.dir = %(here)s/packages
db.url = sqlite:///%(here)s/cache.db
pypi.auth = sql
auth.db.url = sqlite:///%(here)s/access.db
pypi.default_read = authenticated
pypi.default_write = authenticated
session.validate_key = key
`
const asToken = (text: string) => basic('__token__', text)

interface TokenAnswer {
  readonly token: string
  readonly id: string
  readonly user: string
  readonly [member: string]: unknown
}

describe('API tokens over HTTP', () => {
  let here: Installation
  before(async () => {
    here = await install(ini)
    for (const username of ['ada', 'bob', 'eve']) {
      const admin = username === 'ada'
      await here.backends.access.writer?.addAccount({
        ...{username, admin, pending: false, passwordHash: testPasswordHash},
      })
    }
  })
  after(() => here[Symbol.asyncDispose]())

  const person = (name: string) => basic(name, testPassword)
  const make = async (request: TokenRequest) => (await createToken(here.backends.access, request)).text
  let asked = 0
  /** From an address of its own, so that no refusal slows the next one down. */
  const ask = (method: InjectOptions['method'], url: string, authorization?: string, payload?: object) =>
    here.app.inject({
      remoteAddress: `192.0.2.${(asked += 1)}`,
      method,
      url,
      ...(authorization !== undefined && {headers: {authorization}}),
      ...(payload && {payload, headers: {'content-type': 'application/json', authorization}}),
    } as InjectOptions)
  const statusOf = async (...args: Parameters<typeof ask>) => (await ask(...args)).statusCode
  const upload = async (authorization: string, name: string, version = '1.0') => {
    const wheel = await buildWheel({name, version})
    const form = uploadForm(wheel, {name, version})
    const answer = await here.app.inject({
      ...{method: 'POST', url: '/simple/', payload: form.payload},
      headers: {...form.headers, authorization},
    })
    return {status: answer.statusCode, filename: wheel.filename}
  }

  it('are made, listed without their text, and revoked by their owner', async () => {
    const made = await ask('POST', '/api/token', person('bob'), {
      ...{scopes: ['read', 'upload'], projects: ['Acme_*'], expires: '90d', name: 'ci'},
    })
    assert.equal(made.statusCode, 201)
    assert.equal(made.headers['cache-control'], 'private, no-store')
    const {token, ...shown} = made.json<TokenAnswer>()
    assert.match(token, /^ppc_[0-9A-Za-z]{50}$/)
    assert.ok(token.startsWith(`ppc_${shown.id}`))
    assert.deepEqual(
      {...shown, id: '', created: '', expires: ''},
      {
        ...{id: '', user: 'bob', name: 'ci', scopes: ['read', 'upload'], projects: ['acme-*']},
        ...{created: '', expires: '', last_used: null},
      },
    )
    const list = await ask('GET', '/api/token', person('bob'))
    assert.deepEqual(list.json(), {tokens: [shown]})
    assert.ok(!list.body.includes(token))
    assert.equal(await statusOf('GET', '/simple/', asToken(token)), 200)
    assert.equal(await statusOf('GET', '/api/package/acme-x/', `Bearer ${token}`), 200)
    assert.equal(await statusOf('DELETE', `/api/token/${shown.id}`, person('eve')), 404)
    assert.equal(await statusOf('DELETE', `/api/token/${shown.id}`), 401)
    assert.equal(await statusOf('DELETE', `/api/token/${shown.id}`, person('bob')), 200)
    assert.equal(await statusOf('DELETE', `/api/token/${shown.id}`, person('bob')), 404)
    assert.equal(await statusOf('GET', '/api/package/acme-x/', `Bearer ${token}`), 401)
  })
  it('are made and seen for others by administrators alone', async () => {
    assert.equal(await statusOf('POST', '/api/token', person('bob'), {user: 'eve'}), 403)
    assert.equal(await statusOf('GET', '/api/token?user=eve', person('bob')), 403)
    assert.equal(await statusOf('GET', '/api/token?all=true', person('bob')), 403)
    const made = await ask('POST', '/api/token', person('ada'), {user: 'eve', scopes: 'read, delete'})
    const {id, user, scopes} = made.json<TokenAnswer>()
    assert.deepEqual([user, scopes], ['eve', ['read', 'delete']])
    for (const query of ['user=eve', 'all=true']) {
      const {tokens} = (await ask('GET', `/api/token?${query}`, person('ada'))).json<{
        tokens: TokenAnswer[]
      }>()
      assert.deepEqual(
        tokens.map(each => each.id),
        [id],
      )
    }
    assert.equal(await statusOf('DELETE', `/api/token/${id}`, person('ada')), 200)
  })
  for (const [why, payload] of [
    ['unknown scopes', {scopes: ['write']}],
    ['no scope', {scopes: []}],
    ['a project that can not be', {projects: ['../x']}],
    ['an expiry that is past', {expires: '2020-01-01'}],
    ['an expiry that is no time', {expires: '2027-02-31'}],
    ['a name with a line break', {name: 'a\nb'}],
    ['a list of numbers', {scopes: [1]}],
    ['the scope admin for others than administrators', {scopes: ['admin']}],
  ] as const) {
    it(`are refused with ${why}`, async () => {
      const answer = await ask('POST', '/api/token', person('bob'), payload)
      assert.equal(answer.statusCode, 400, answer.body)
    })
  }
  it('give what their scopes and projects say, and nothing else', async () => {
    const reading = asToken(await make({owner: 'bob'}))
    const uploading = asToken(await make({owner: 'bob', scopes: ['upload'], projects: ['acme-*']}))
    const deleting = asToken(await make({owner: 'bob', scopes: ['delete']}))
    assert.equal((await upload(reading, 'acme-a')).status, 403)
    assert.equal((await upload(deleting, 'acme-a')).status, 403)
    assert.equal((await upload(uploading, 'other')).status, 403)
    const {status, filename} = await upload(uploading, 'acme-a')
    assert.equal(status, 200)
    await upload(person('bob'), 'other')

    assert.deepEqual((await ask('GET', '/api/package/', reading)).json(), {packages: ['acme-a', 'other']})
    assert.deepEqual((await ask('GET', '/api/package/', uploading)).json(), {packages: []})
    assert.match((await ask('GET', '/simple/', reading)).body, /acme-a.*other/s)
    assert.doesNotMatch((await ask('GET', '/simple/', uploading)).body, /acme-a/)
    const file = `/api/package/acme-a/${filename}`
    assert.equal(await statusOf('GET', file, reading), 200)
    assert.equal(await statusOf('GET', file, uploading), 403)
    assert.equal(await statusOf('DELETE', file, reading), 403)
    assert.equal(await statusOf('DELETE', file, uploading), 403)
    assert.equal(await statusOf('DELETE', file, deleting), 200)
  })
  it('never give more than their owner may, also when that becomes less', async () => {
    const {writer} = here.backends.access
    const reading = asToken(await make({owner: 'eve', scopes: ['read', 'upload']}))
    const file = await upload(person('ada'), 'secret')
    const url = `/api/package/secret/${file.filename}`
    assert.equal(await statusOf('GET', url, reading), 200)
    await writer?.grant('secret', {user: 'bob'}, 'read')
    assert.equal(await statusOf('GET', url, reading), 403)
    assert.equal((await upload(reading, 'secret', '2.0')).status, 403)
    assert.doesNotMatch((await ask('GET', '/simple/', reading)).body, /secret/)
    await writer?.revoke('secret', {user: 'bob'}, 'read')
    assert.equal(await statusOf('GET', url, reading), 200)
  })
  it("of an administrator reach everything of their scopes, and administrators' work with admin alone", async () => {
    const {writer} = here.backends.access
    await writer?.grant('secret', {user: 'bob'}, 'read')
    const reading = asToken(await make({owner: 'ada'}))
    const all = asToken(await make({owner: 'ada', scopes: ['admin']}))
    assert.match((await ask('GET', '/simple/', reading)).body, /secret/)
    assert.equal(await statusOf('GET', '/admin/user', reading), 403)
    assert.equal(await statusOf('GET', '/admin/user', all), 200)
    assert.equal(await statusOf('GET', '/api/token', reading), 403)
    assert.equal(await statusOf('POST', '/api/token', reading, {}), 403)
    assert.equal(await statusOf('POST', '/api/token', all, {user: 'bob'}), 201)
    assert.equal((await upload(all, 'secret', '3.0')).status, 200)
    await writer?.setAdmin('ada', false)
    assert.equal(await statusOf('GET', '/admin/user', all), 403)
    assert.doesNotMatch((await ask('GET', '/simple/', reading)).body, /secret/)
    await writer?.setAdmin('ada', true)
  })
  it('are not limited to projects when they may do what administrators do', async () => {
    await assert.rejects(make({owner: 'ada', scopes: ['admin'], projects: ['acme-*']}), {
      code: 'PPC_INVALID_INPUT',
    })
  })
  it('can end themselves, and change no password', async () => {
    const text = await make({owner: 'bob'})
    const passwords = {old_password: testPassword, new_password: 'x'}
    assert.equal(await statusOf('POST', '/api/user/password', asToken(text), passwords), 403)
    assert.equal(await statusOf('DELETE', `/api/token/${text.slice(4, 14)}`, asToken(text)), 200)
    assert.equal(await statusOf('GET', '/api/package/other/', asToken(text)), 401)
  })
  it('are refused when they have expired, and when their owner is gone or waits for approval', async () => {
    const {writer, tokens} = here.backends.access
    const text = await make({owner: 'bob', expires: '1h'})
    const [stored] = (await tokens?.list('bob')) ?? []
    assert.ok(stored)
    const old = await createToken(here.backends.access, {owner: 'bob'})
    await tokens?.writer?.revoke(old.token.id)
    await tokens?.writer?.add({...old.token, expires: '2026-01-01T00:00:00Z'})
    assert.equal(await statusOf('GET', '/api/package/other/', asToken(old.text)), 401)
    assert.equal(await statusOf('GET', '/api/package/other/', asToken(text)), 200)
    await writer?.deleteUser('bob')
    assert.equal(await statusOf('GET', '/api/package/other/', asToken(text)), 401)
    await writer?.addAccount({username: 'bob', passwordHash: testPasswordHash, admin: false, pending: true})
    assert.equal(await statusOf('GET', '/api/package/other/', asToken(text)), 401)
    await writer?.approve('bob')
    assert.equal(await statusOf('GET', '/api/package/other/', asToken(text)), 401)
    await assert.rejects(make({owner: 'nobody'}), {code: 'PPC_NOT_FOUND'})
  })
})

describe('what is no API token', () => {
  let here: Installation
  let text: string
  before(async () => {
    here = await install(ini.replace('default_read = authenticated', 'default_read = everyone'))
    const {access} = here.backends
    await access.writer?.addAccount({
      username: 'bob',
      admin: false,
      pending: false,
      passwordHash: testPasswordHash,
    })
    text = (await createToken(access, {owner: 'bob', scopes: ['upload']})).text
  })
  after(() => here[Symbol.asyncDispose]())
  const get = (authorization: string, url = '/acct/password-of-nobody/') =>
    here.app.inject({url, headers: {authorization}})

  it('lets nobody in, and says to wait after some tries, but a right one is never held up', async () => {
    const last = text.slice(-1) === 'a' ? 'b' : 'a'
    const garbage = [
      ...['', ' ', 'ppc_', text.slice(0, -1), `${text}a`, text.slice(0, -1) + last, text.toUpperCase()],
      ...['ü'.repeat(27), 'x'.repeat(9_000), `ppc_${'0'.repeat(50)}`, `${text}\n`, '\0', '🔑', 'null'],
    ]
    const statuses = new Set<number>()
    for (const wrong of garbage) {
      for (const authorization of [asToken(wrong), `Bearer ${wrong.replace(/[^ -~]/g, '?')}`]) {
        const answer = await here.app.inject({method: 'GET', url: '/api/token', headers: {authorization}})
        statuses.add(answer.statusCode)
        if (answer.statusCode === 429) assert.match(String(answer.headers['retry-after']), /^\d+$/)
      }
    }
    assert.deepEqual([...statuses].sort(), [401, 429])
    const right = await get(asToken(text), '/api/token')
    assert.equal(right.statusCode, 403) // known, and without the scope
  })
  it('still gets what everybody may read', async () => {
    assert.equal((await get(asToken('wrong'), '/simple/')).statusCode, 200)
    assert.equal((await get(asToken(text), '/api/package/none/')).statusCode, 200)
  })
  it('answers passwords of a megabyte', async () => {
    const long = 'x'.repeat(1024 * 1024)
    const answer = await get(asToken(long), '/api/token')
    assert.ok([401, 429, 431].includes(answer.statusCode), String(answer.statusCode))
  })
})
