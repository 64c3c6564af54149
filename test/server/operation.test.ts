import assert from 'node:assert/strict'
import {readFile} from 'node:fs/promises'
import {describe, it} from 'node:test'
import {startService} from '../services/index.js'
import {freePort} from '../support/free-port.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {fakeUpstream} from '../support/upstream.js'
import {waitFor} from '../support/wait.js'
import {buildWheel} from '../support/wheels.js'
import {openSettings, startChild, writeIni} from './child-server.js'
import {basic, install} from './installation.js'
import {uploadForm} from './upload-form.js'

/** sha512_crypt of "correct horse" with 1,000 rounds. */
const hash =
  '$6$rounds=1000$PhN21P3zim8aKqPW$0qXBY7wet97fZEix.Y/NkU6PIh.FrYx4vHXt3G7y2W8ynSRjk/5Y1M.6liLDg5W.28qAgjsjrC1Vj0K.QAVv11'
const settings = {...openSettings, 'auth.admins': 'admin', 'user.admin': hash, 'user.ann': hash}
const authorization = basic('admin', 'correct horse')

describe('/readyz', needs('redis'), () => {
  it('turns 503 while the cache hangs, never waits for it, and is 200 again afterwards', async () => {
    await using dir = await tempDir()
    await using redis = await startService('redis')
    const file = dir.join('server.ini')
    await writeIni(file, {...settings, 'pypi.db': 'redis', 'db.url': redis.url})
    await using server = await startChild(file)
    assert.equal((await fetch(`${server.url}/readyz`)).status, 200)
    process.kill(redis.pid, 'SIGSTOP')
    try {
      const answer = await fetchUntil(`${server.url}/readyz`, 503)
      assert.match(answer['cache'] ?? '', /./)
      assert.equal(answer['storage'], '')
      assert.equal((await fetch(`${server.url}/livez`)).status, 200)
    } finally {
      process.kill(redis.pid, 'SIGCONT')
    }
    assert.equal((await fetchUntil(`${server.url}/readyz`, 200))['cache'], '')
  })
})

/** Asks on and on, each time with three seconds of patience, until the status is that. */
const fetchUntil = (url: string, status: number): Promise<Record<string, string>> =>
  waitFor(`${url} answers ${status}`, async () => {
    const answer = await fetch(url, {signal: AbortSignal.timeout(3000)}).catch(() => undefined)
    const parts = (await answer?.json().catch(() => ({}))) as Record<string, string>
    return answer?.status === status && parts
  })

describe('/metrics', () => {
  it('sums what all workers have counted, on a port of its own', async () => {
    await using dir = await tempDir()
    const port = await freePort()
    await writeIni(dir.join('server.ini'), {...settings, 'metrics.port': String(port)})
    await using server = await startChild(dir.join('server.ini'), 2)
    for (let i = 0; i < 20; i += 1) {
      await (await fetch(`${server.url}/simple/`, {headers: {connection: 'close'}})).text()
    }
    await fetch(`${server.url}/simple/`, {headers: {authorization: basic('admin', 'wrong')}})
    assert.equal((await fetch(`${server.url}/metrics`, {redirect: 'manual'})).status, 302) // a project, if at all

    const figures = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    assert.match(figures, /^ppc_http_requests_total\{method="GET",route="\/simple\/",status="200"\} 21$/m)
    assert.match(figures, /^ppc_http_request_duration_seconds_count\{method="GET",route="\/simple\/"\} 21$/m)
    assert.match(figures, /^ppc_logins_failed_total 1$/m)
    for (const backend of ['access', 'cache', 'storage'])
      assert.match(figures, new RegExp(`^ppc_backend_up\\{backend="${backend}"\\} 1$`, 'm'))
    assert.equal((await fetch(`http://127.0.0.1:${port}/simple/`)).status, 404)
  })
})

describe('/metrics of an upstream', () => {
  it('tells what it was asked, how it answered, and which pages were kept', async () => {
    await using dir = await tempDir()
    await using upstream = await fakeUpstream()
    await upstream.addProject('there', ['1.0'])
    const port = await freePort()
    const fallback = {
      'pypi.fallback': 'cache',
      'pypi.fallback_base_url': upstream.url,
      'pypi.cache_update': 'everyone',
    }
    await writeIni(dir.join('server.ini'), {...settings, ...fallback, 'metrics.port': String(port)})
    await using server = await startChild(dir.join('server.ini'))
    await fetchUntil(`${server.url}/simple/there/`, 200) // first the cache has to be complete
    assert.equal((await fetch(`${server.url}/simple/there/`)).status, 200)
    assert.equal((await fetch(`${server.url}/simple/missing/`)).status, 404)
    const file = `${server.url}/api/package/there/there-1.0-py3-none-any.whl`
    assert.equal((await fetch(file)).status, 200)
    const figures = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    const figure = (name: string) =>
      Number(
        figures
          .split('\n')
          .find(line => line.startsWith(`${name} `))
          ?.split(' ')[1] ?? 0,
      )
    const requests = (wanted: string, result: string) =>
      figure(`ppc_upstream_requests_total{wanted="${wanted}",result="${result}"}`)
    assert.ok(requests('page', 'answered') >= 1)
    assert.ok(requests('page', 'absent') >= 1)
    assert.equal(requests('file', 'answered'), 1)
    assert.ok(figure('ppc_upstream_pages_total{from="upstream"}') >= 1)
    assert.equal(figure('ppc_upstream_request_duration_seconds_count{wanted="file"}'), 1)
    assert.ok(!figures.includes('there'), 'no names in labels')
  })
})

describe('the audit log', () => {
  it('has a line for each change and for each attempt, and no secret', async () => {
    await using dir = await tempDir()
    await writeIni(dir.join('server.ini'), {
      ...settings,
      'pypi.auth': 'sql',
      'auth.db.url': 'sqlite:///%(here)s/access.db',
      'pypi.allow_overwrite_groups': 'authenticated',
      'audit.file': 'audit.log',
    })
    await using server = await startChild(dir.join('server.ini'), 2)
    const ask = async (method: string, path: string, body?: object, user = authorization) =>
      (
        await fetch(`${server.url}${path}`, {
          method,
          headers: {
            authorization: user,
            'content-type': 'application/json',
            'x-request-id': `test-${method}`,
          },
          ...(body && {body: JSON.stringify(body)}),
        })
      ).status
    const upload = async (summary: string) => {
      const wheel = await buildWheel({name: 'some-tool', version: '1.0', summary})
      const {payload, headers} = uploadForm(wheel, {name: 'some-tool', version: '1.0'})
      const body = new Uint8Array(payload)
      await fetch(`${server.url}/legacy/`, {method: 'POST', headers: {...headers, authorization}, body})
    }
    assert.equal(await ask('PUT', '/api/user/admin', {password: 'correct horse'}), 200)
    await upload('first')
    await upload('second')
    await ask('PUT', '/admin/user/bob', {password: 'hunter-s3cret'})
    await ask('POST', '/admin/user/bob/admin', {admin: true})
    await ask('PUT', '/admin/package/some-tool/user/bob/read')
    await ask(
      'DELETE',
      '/api/package/some-tool/some_tool-1.0-py3-none-any.whl',
      undefined,
      basic('bob', 'guess-s3cret'),
    )
    await ask('DELETE', '/api/package/some-tool/some_tool-1.0-py3-none-any.whl')

    const text = await readFile(dir.join('audit.log'), 'utf8')
    const lines = text
      .split('\n')
      .filter(Boolean)
      .map(line => JSON.parse(line) as Record<string, unknown>)
    assert.deepEqual(
      lines.map(({action, result, by = null, outcome}) => [
        action,
        result,
        by,
        ...(outcome ? [outcome] : []),
      ]),
      [
        ['user.register', 'done', null],
        ['file.upload', 'done', 'admin', 'created'],
        ['file.upload', 'done', 'admin', 'replaced'],
        ['user.create', 'done', 'admin'],
        ['user.admin', 'done', 'admin'],
        ['permission.grant', 'done', 'admin'],
        ['login.failed', 'denied', null],
        ['file.delete', 'denied', null],
        ['file.delete', 'done', 'admin'],
      ],
    )
    assert.match(String(lines[1]?.['sha256']), /^[\da-f]{64}$/)
    assert.notEqual(lines[1]?.['sha256'], lines[2]?.['sha256'])
    assert.equal(lines[8]?.['sha256'], lines[2]?.['sha256'])
    assert.deepEqual([lines[4]?.['user'], lines[4]?.['admin']], ['bob', true])
    assert.equal(lines[8]?.['request'], 'test-DELETE')
    assert.ok(lines.every(({time, client}) => typeof time === 'string' && client === '127.0.0.1'))
    assert.doesNotMatch(text, /s3cret|horse|Basic/)
  })
})

describe('limits of requests', () => {
  const ini = (limit: string) =>
    `[app:main]\nuse = egg:pypicloud\npypi.fallback = none\npypi.default_read = everyone\n` +
    `storage.dir = %(here)s/packages\ndb.url = sqlite:///%(here)s/cache.db\nuser.ann = ${hash}\nuser.bob = ${hash}\n${limit}\n`
  const ann = basic('ann', 'correct horse')

  it('of an address: the next one is 429 and says when to come again; probes are let through', async () => {
    await using server = await install(ini('limits.address_per_minute = 3'))
    const ask = (url = '/simple/', remoteAddress = '10.0.0.1') => server.app.inject({url, remoteAddress})
    for (let i = 0; i < 3; i += 1) assert.equal((await ask()).statusCode, 200)
    const refused = await ask()
    assert.equal(refused.statusCode, 429)
    const wait = Number(refused.headers['retry-after'])
    assert.ok(wait >= 1 && wait <= 20, String(wait))
    assert.equal((await ask('/livez')).statusCode, 200)
    assert.equal((await ask('/simple/', '10.0.0.2')).statusCode, 200)
  })

  it('of a user: wherever he comes from, and of nobody else', async () => {
    await using server = await install(ini('limits.user_per_minute = 2'))
    const ask = (remoteAddress: string, authorization?: string) =>
      server.app.inject({url: '/simple/', remoteAddress, headers: authorization ? {authorization} : {}})
    assert.equal((await ask('10.0.0.1', ann)).statusCode, 200)
    assert.equal((await ask('10.0.0.2', ann)).statusCode, 200)
    assert.equal((await ask('10.0.0.3', ann)).statusCode, 429)
    assert.equal((await ask('10.0.0.3', basic('bob', 'correct horse'))).statusCode, 200)
    assert.equal((await ask('10.0.0.3')).statusCode, 200)
  })
})

describe('the log', () => {
  it('has a line for each request, found by the id that the answer bears, without what a URL may hide', async () => {
    await using dir = await tempDir()
    await writeIni(dir.join('server.ini'), settings)
    await using server = await startChild(dir.join('server.ini'))
    const ask = async (id?: string) => {
      const headers = {authorization, ...(id !== undefined && {'x-request-id': id})}
      const answer = await fetch(`${server.url}/simple/?signature=s3cret`, {headers})
      return answer.headers.get('x-request-id') ?? ''
    }
    assert.equal(await ask('trace/12.ab-CD'), 'trace/12.ab-CD')
    const own = [await ask(), await ask('two words'), await ask('x'.repeat(500))]
    assert.equal(new Set(own).size, 3)
    for (const id of own) assert.match(id, /^[\w-]{9,20}$/)
    const line = await server.logged('request')
    assert.deepEqual(
      [line['request'], line['method'], line['path'], line['status'], line['user'], line['client']],
      ['trace/12.ab-CD', 'GET', '/simple/', 200, 'admin', '127.0.0.1'],
    )
    assert.doesNotMatch(JSON.stringify(server.log()), /s3cret|horse/)
  })
})
