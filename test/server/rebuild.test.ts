import assert from 'node:assert/strict'
import {mkdir, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {after, before, describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {testPassword, testPasswordHash} from '../support/live-server.js'
import {basic, install, type Installation} from './installation.js'

const ini = `[app:main]
use = egg:pypicloud
pypi.fallback = none
pypi.default_read = everyone
storage.dir = %(here)s/packages
db.url = sqlite:///%(here)s/cache.db
auth.admins = ada
user.ada = ${testPasswordHash}
user.bob = ${testPasswordHash}
session.validate_key = key
`
interface Run {
  readonly id?: string
  readonly state: string
  readonly mode?: string
  readonly owner?: string
  readonly listed?: number
  readonly report?: {readonly added: number; readonly unchanged: number}
}

describe('/admin/rebuild', () => {
  let server: Installation
  before(async () => {
    server = await install(ini)
  })
  after(() => server[Symbol.asyncDispose]())

  const ask = (method: 'GET' | 'POST' | 'HEAD', url: string, user?: string, payload?: object) =>
    server.app.inject({
      method,
      url,
      headers: user === undefined ? {} : {authorization: basic(user, testPassword)},
      ...(payload && {payload}),
    })
  const put = async (version: string) => {
    const folder = join(server.directory, 'packages/foo', version)
    await mkdir(folder, {recursive: true})
    await writeFile(join(folder, `foo-${version}.zip`), version)
  }
  /** Follows the progress to its end. */
  async function finished(url: string): Promise<Run> {
    for (;;) {
      const run = (await ask('GET', url, 'ada')).json<Run>()
      if (run.state !== 'running') return run
      await sleep(10)
    }
  }

  it('starts a rebuild by POST, and tells where its progress is', async () => {
    await put('1')
    const answer = await ask('POST', '/admin/rebuild', 'ada')
    assert.equal(answer.statusCode, 202)
    const started = answer.json<Run>()
    assert.equal(started.state, 'running')
    assert.equal(started.mode, 'full')
    const location = new URL(String(answer.headers.location))
    assert.equal(location.pathname, '/admin/rebuild/status')
    const run = await finished(location.pathname)
    assert.equal(run.id, started.id)
    assert.deepEqual([run.state, run.listed, run.report?.added], ['done', 1, 1])
    assert.equal(await server.backends.cache.countFiles(), 1)
  })

  it('reads only what has changed when it is told so', async () => {
    const answer = await ask('POST', '/admin/rebuild', 'ada', {full: false})
    assert.equal(answer.json<Run>().mode, 'incremental')
    await finished('/admin/rebuild/status')
  })

  it("answers pypicloud's call when the rebuild has ended, with an empty page", async () => {
    await put('2')
    const answer = await ask('GET', '/admin/rebuild', 'ada')
    assert.deepEqual(
      [answer.statusCode, answer.headers['content-type'], answer.payload],
      [200, 'text/html; charset=UTF-8', ''],
    )
    assert.equal(await server.backends.cache.countFiles(), 2)
  })

  it('rebuilds nothing for HEAD', async () => {
    await put('3')
    assert.equal((await ask('HEAD', '/admin/rebuild', 'ada')).statusCode, 200)
    assert.equal(await server.backends.cache.countFiles(), 2)
  })

  it('refuses a second one with 409, which names who is at it', async () => {
    await using lock = await server.backends.cache.acquireLock('rebuild', {owner: 'cron on host-b'})
    for (const method of ['POST', 'GET'] as const) {
      const answer = await ask(method, '/admin/rebuild', 'ada')
      assert.equal(answer.statusCode, 409)
      assert.match(answer.payload, /cron on host-b/)
    }
    assert.equal(lock.signal.aborted, false)
  })

  it('is for administrators alone, and its progress too', async () => {
    for (const [method, url] of [
      ['POST', '/admin/rebuild'],
      ['GET', '/admin/rebuild'],
      ['GET', '/admin/rebuild/status'],
    ] as const) {
      assert.equal((await ask(method, url)).statusCode, 401)
      assert.equal((await ask(method, url, 'bob')).statusCode, 403)
    }
  })
})
