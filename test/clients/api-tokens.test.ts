import assert from 'node:assert/strict'
import {mkdir, readdir, readFile, writeFile} from 'node:fs/promises'
import {after, before, describe, it} from 'node:test'
import {setTimeout as sleep} from 'node:timers/promises'
import {startService} from '../services/index.js'
import type {DatabaseServer} from '../services/postgresql.js'
import {freePort} from '../support/free-port.js'
import {liveServer, startServer, testPassword, type LiveServer} from '../support/live-server.js'
import {needs, program} from '../support/needs.js'
import {runProgram} from '../support/run.js'
import {tempDir} from '../support/temp.js'
import {buildWheel, writeBuilt} from '../support/wheels.js'
import {tool} from '../commands/tool.js'

/** What is to happen soon: asked again until it has, or until the test's patience ends. */
async function eventually<T>(ask: () => Promise<T>, isSo: (answer: T) => boolean): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const answer = await ask()
    if (isSo(answer) || attempt >= 300) return answer
    await sleep(200)
  }
}

describe('API tokens', needs('postgresql', 'twine', 'uv', 'pip'), () => {
  let temp: Awaited<ReturnType<typeof tempDir>>
  let database: DatabaseServer
  let here: LiveServer
  /** Of another host: it does not see what the processes of this one tell each other. */
  let elsewhere: LiveServer
  before(async () => {
    temp = await tempDir()
    database = await startService('postgresql')
    here = await liveServer(temp.path, {
      ...{'pypi.auth': 'sql', 'auth.db.url': await database.createDatabase(), 'auth.rounds': '1000'},
      ...{'pypi.default_read': 'authenticated', 'pypi.default_write': 'authenticated'},
    })
    await mkdir(temp.join('other-host'))
    const {TMPDIR} = process.env
    process.env['TMPDIR'] = temp.join('other-host')
    try {
      elsewhere = await startServer(temp.join('server.ini'), await freePort())
    } finally {
      if (TMPDIR === undefined) delete process.env['TMPDIR']
      else process.env['TMPDIR'] = TMPDIR
    }
    const created = await tool(temp.path, 'ppc user create --password-stdin server.ini ci', {
      input: `${testPassword}\n`,
    })
    assert.equal(created.code, 0, created.stderr)
  })
  after(async () => {
    await elsewhere[Symbol.asyncDispose]()
    await here[Symbol.asyncDispose]()
    await database[Symbol.asyncDispose]()
    await temp[Symbol.asyncDispose]()
  })

  const create = async (...more: string[]): Promise<string> => {
    const {code, stdout, stderr} = await tool(temp.path, [
      'ppc',
      'token',
      'create',
      'server.ini',
      'ci',
      ...more,
    ])
    assert.equal(code, 0, stderr)
    return stdout.trim()
  }
  const wheel = async (name: string) => writeBuilt(temp.path, await buildWheel({name, version: '1.0'}))
  const twine = async (token: string, file: string) =>
    runProgram(
      program('twine'),
      [
        ...[
          'upload',
          '--non-interactive',
          '--disable-progress-bar',
          '--repository-url',
          `${here.url}/simple/`,
        ],
        ...['-u', '__token__', '-p', token, file],
      ],
      {cwd: temp.path},
    )
  const uv = (...args: string[]) =>
    runProgram(program('uv'), args, {cwd: temp.path, env: {UV_CACHE_DIR: temp.join('uv-cache')}})
  const statusOf = async (server: LiveServer, token: string) =>
    (await fetch(`${server.url}/api/token`, {headers: {authorization: `Bearer ${token}`}})).status

  it('let twine and uv publish what they are for, and nothing else', async () => {
    const token = await create('--scope', 'upload', '--project', 'acme-*')
    const byTwine = await twine(token, await wheel('acme-by-twine'))
    assert.equal(byTwine.code, 0, byTwine.stdout + byTwine.stderr)
    const byUv = await uv(
      ...['publish', '--publish-url', `${here.url}/simple/`, '--token', token],
      ...['--trusted-publishing', 'never', await wheel('acme-by-uv')],
    )
    assert.equal(byUv.code, 0, byUv.stderr)
    const other = await twine(token, await wheel('other'))
    assert.match(other.stdout + other.stderr, /403/)
    const cut = await twine(token.slice(0, -1), await wheel('acme-cut'))
    assert.match(cut.stdout + cut.stderr, /401/)
  })
  it('let pip and uv install', async () => {
    const token = await create()
    const index = `${elsewhere.url.replace('//', `//__token__:${token}@`)}/simple/`
    const pip = await runProgram(
      program('pip'),
      [
        'install',
        '--no-input',
        '--no-deps',
        '--target',
        temp.join('site'),
        '--index-url',
        index,
        'acme-by-twine',
      ],
      {cwd: temp.path},
    )
    assert.equal(pip.code, 0, pip.stderr)
    assert.ok((await readdir(temp.join('site'))).includes('acme_by_twine-1.0.dist-info'))
    const done = await uv(
      ...[
        'pip',
        'install',
        '--no-deps',
        '--target',
        temp.join('uv-site'),
        '--default-index',
        index,
        'acme-by-uv',
      ],
    )
    assert.equal(done.code, 0, done.stderr)
  })
  it('are refused by servers of all hosts soon after they were revoked or their user was deleted', async () => {
    const [revoked, orphaned] = [await create(), await create()]
    for (const server of [here, elsewhere]) {
      for (const token of [revoked, orphaned]) assert.equal(await statusOf(server, token), 403)
    }
    const revoking = await tool(temp.path, ['ppc', 'token', 'revoke', 'server.ini', revoked.slice(4, 14)])
    assert.equal(revoking.code, 0, revoking.stderr)
    for (const server of [here, elsewhere]) {
      assert.equal(
        await eventually(
          () => statusOf(server, revoked),
          status => status !== 403,
        ),
        401,
      )
      assert.equal(await statusOf(server, orphaned), 403)
    }
    await tool(temp.path, 'ppc user delete --yes server.ini ci')
    for (const server of [here, elsewhere]) {
      assert.equal(
        await eventually(
          () => statusOf(server, orphaned),
          status => status !== 403,
        ),
        401,
      )
    }
  })
  it('show when they were used', async () => {
    await tool(temp.path, 'ppc user create --generate server.ini ci')
    const token = await create('--name', 'used')
    await create('--name', 'unused')
    await statusOf(here, token)
    const list = async () => {
      const {stdout} = await tool(temp.path, 'ppc token list server.ini --json')
      return (JSON.parse(stdout) as {tokens: {name: string; lastUsed: string | null}[]}).tokens
    }
    const isUsed = (name: string, tokens: Awaited<ReturnType<typeof list>>) =>
      tokens.find(each => each.name === name)?.lastUsed != null
    const tokens = await eventually(list, found => isUsed('used', found))
    assert.deepEqual([isUsed('used', tokens), isUsed('unused', tokens)], [true, false])
  })
})

describe('API tokens that are lines of a config', () => {
  it('work after a reload, until the line is gone', async () => {
    await using temp = await tempDir()
    await using server = await liveServer(temp.path)
    const file = temp.join('server.ini')
    const created = await tool(temp.path, 'ppc token create server.ini reader --json')
    const {token, configLine} = JSON.parse(created.stdout) as {token: string; configLine: string}
    const statusOf = async () =>
      (await fetch(`${server.url}/api/token`, {headers: {authorization: `Bearer ${token}`}})).status
    assert.equal(await statusOf(), 401)
    const before = await readFile(file, 'utf8')
    await writeFile(file, `${before}${configLine}\n`)
    server.process.kill('SIGHUP')
    assert.equal(await eventually(statusOf, status => status === 403), 403)
    await writeFile(file, before)
    server.process.kill('SIGHUP')
    assert.equal(await eventually(statusOf, status => status !== 403), 401)
  })
})
