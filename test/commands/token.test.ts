import assert from 'node:assert/strict'
import {appendFile, readFile, writeFile} from 'node:fs/promises'
import {after, before, describe, it} from 'node:test'
import {openBackends} from '../../src/lib/backends.js'
import type {Identity} from '../../src/lib/access/identity.js'
import {AccessPolicy} from '../../src/lib/access/policy.js'
import {readConfig} from '../../src/lib/config/config.js'
import {testPasswordHash} from '../support/live-server.js'
import {tempDir} from '../support/temp.js'
import {sqlConfig, tool} from './tool.js'

const userLines = `user.ci = ${testPasswordHash}\nuser.50% of it = ${testPasswordHash}\n`

describe('ppc token', () => {
  let directory: Awaited<ReturnType<typeof tempDir>>
  const run = (...args: string[]) => tool(directory.path, ['ppc', ...args])
  const done = async (...args: string[]) => {
    const finished = await run(...args)
    assert.equal(finished.code, 0, finished.stderr)
    return finished
  }
  /** Whom a server with this config takes the token for. */
  const login = async (file: string, text: string): Promise<Identity | undefined> => {
    const config = await readConfig(directory.join(file), {environment: {}})
    await using backends = await openBackends(config, ['access'])
    return await new AccessPolicy(backends.access, config).authenticateToken(text)
  }
  before(async () => {
    directory = await tempDir()
    await writeFile(directory.join('server.ini'), sqlConfig('a'))
    await writeFile(directory.join('other.ini'), sqlConfig('b'))
    const inFile = sqlConfig('c')
      .replace('pypi.auth = sql', 'pypi.auth = config')
      .replace(/auth\.db\.url.*\n/, '')
    await writeFile(directory.join('lines.ini'), `${inFile}${userLines}`)
    await done('user', 'create', '--generate', 'server.ini', 'ci')
    await done('user', 'create', '--generate', 'server.ini', 'bob')
  })
  after(() => directory[Symbol.asyncDispose]())

  it('prints a token alone on stdout, and lists everything but the token', async () => {
    const {stdout, stderr} = await done(
      ...['token', 'create', 'server.ini', 'ci', '--scope', 'upload,read', '--project', 'Acme_*'],
      ...['--expires', '2099-12-30', '--name', 'build server'],
    )
    assert.match(stdout, /^ppc_[0-9A-Za-z]{50}\n$/)
    assert.match(
      stderr,
      /^Created the API token \w{10} of ci: may read and upload acme-\*, until 2099-12-31T00:00:00Z\.\n$/,
    )
    assert.equal((await login('server.ini', stdout.trim()))?.username, 'ci')
    const {stdout: list} = await done('token', 'list', 'server.ini')
    assert.equal(
      list,
      `${stdout.slice(4, 14)}  ci  read upload  acme-*  expires 2099-12-31T00:00:00Z  no use recorded  build server\n`,
    )
  })
  it('revokes by id, by the token, and all of a user', async () => {
    const tokens: string[] = []
    for (let index = 0; index < 4; index++) {
      tokens.push((await done('token', 'create', 'server.ini', 'bob')).stdout.trim())
    }
    const [first = '', second = '', third = ''] = tokens
    await done('token', 'revoke', 'server.ini', first.slice(4, 14))
    await done('token', 'revoke', 'server.ini', second)
    assert.equal(await login('server.ini', first), undefined)
    assert.ok(await login('server.ini', third))
    const {stdout} = await done('token', 'revoke', 'server.ini', '--user', 'bob', '--json')
    assert.equal((JSON.parse(stdout) as {revoked: string[]}).revoked.length, 2)
    assert.equal((await done('token', 'list', 'server.ini', '--user', 'bob')).stdout, '')
  })
  for (const [why, args, says] of [
    ['an unknown user', ['create', 'server.ini', 'nobody'], /has no user "nobody"/],
    ['an unknown token', ['revoke', 'server.ini', 'aaaaaaaaaa'], /has no API token "aaaaaaaaaa"/],
    ['neither token nor user', ['revoke', 'server.ini'], /name one token, or a user with --user/],
    [
      'administration by others',
      ['create', 'server.ini', 'ci', '--scope', 'admin'],
      /"ci" is no administrator/,
    ],
    ['a project that can not be', ['create', 'server.ini', 'ci', '--project', 'a/b'], /found "a\/b"/],
    ['a time that is none', ['create', 'server.ini', 'ci', '--expires', '1 year'], /found "1 year"/],
  ] as const) {
    it(`says what is wrong with ${why}`, async () => {
      const {code, stderr} = await run('token', ...args)
      assert.notEqual(code, 0)
      assert.match(stderr, says)
      assert.doesNotMatch(stderr, /\n {4}at /)
    })
  }
  for (const owner of ['ci', '50% of it']) {
    it(`prints the line to put into a config, for ${owner}`, async () => {
      const created = await done('token', 'create', 'lines.ini', owner, '--name', '100% ours', '--json')
      const {token, configLine} = JSON.parse(created.stdout) as {token: string; configLine: string}
      assert.ok(!configLine.includes(token))
      assert.equal(await login('lines.ini', token), undefined)
      await appendFile(directory.join('lines.ini'), `${configLine}\n`)
      assert.deepEqual((await done('config', 'check', 'lines.ini')).code, 0)
      assert.equal((await login('lines.ini', token))?.username, owner)
      const refused = await run('token', 'revoke', 'lines.ini', token)
      assert.match(refused.stderr, new RegExp(`Remove token\\.${token.slice(4, 14)}`))
    })
  }
  it('shows the line after the token to people', async () => {
    const {stdout, stderr} = await done('token', 'create', 'lines.ini', 'ci')
    assert.match(stdout, /^ppc_\w{50}\n$/)
    assert.match(
      stderr,
      /^token\.\w{10} = scopes=read created=\S+ expires=\S+ sha256=[0-9a-f]{64} owner=ci$/m,
    )
  })
  it('names the line of a config that is no token', async () => {
    const text = await readFile(directory.join('lines.ini'), 'utf8')
    await writeFile(directory.join('broken.ini'), `${text}token.abc = owner=ci\ntoken.aaaaaaaaaa = x\n`)
    const {code, stderr} = await run('token', 'list', 'broken.ini')
    assert.equal(code, 2)
    assert.equal(stderr.match(/broken\.ini:\d+: token\.a\w+: the API token/g)?.length, 2, stderr)
  })
  it('tokens move with export and import, from each kind of store to the other', async () => {
    const token = (await done('token', 'create', 'server.ini', 'ci')).stdout.trim()
    await done('export', 'server.ini', '-o', 'all.json.gz')
    assert.match((await done('import', 'other.ini', '-i', 'all.json.gz')).stderr, /2 API tokens/)
    assert.equal((await login('other.ini', token))?.username, 'ci')
    const [one, other] = [await done('export', 'server.ini'), await done('export', 'other.ini')]
    assert.equal(one.stdout, other.stdout)
    const base = await readFile(directory.join('lines.ini'), 'utf8')
    const lines = (await done('import', 'lines.ini', '-i', 'all.json.gz')).stdout
    await writeFile(directory.join('moved.ini'), base.slice(0, base.indexOf('user.ci')) + lines)
    assert.equal((await login('moved.ini', token))?.username, 'ci')
    const moved = JSON.parse((await done('export', 'moved.ini')).stdout) as {ppc_tokens: unknown[]}
    assert.deepEqual(moved.ppc_tokens, (JSON.parse(one.stdout) as typeof moved).ppc_tokens)
  })
})
