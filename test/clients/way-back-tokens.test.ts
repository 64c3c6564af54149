import assert from 'node:assert/strict'
import {after, before, describe, it} from 'node:test'
import {freePort} from '../support/free-port.js'
import {startServer} from '../support/live-server.js'
import {needs} from '../support/needs.js'
import {
  editConfig,
  makeOriginalConfig,
  originalHashes,
  runOriginal,
  startOriginal,
} from '../support/original.js'
import {tempDir} from '../support/temp.js'
import {tool} from '../commands/tool.js'

const password = 'secret'
const basic = {authorization: `Basic ${Buffer.from(`root:${password}`).toString('base64')}`}

describe('a database with API tokens goes back to pypicloud', needs('pypicloud'), () => {
  let temp: Awaited<ReturnType<typeof tempDir>>
  let port: number
  let file: string
  let token: string
  const done = async (...line: string[]) => {
    const {code, stdout, stderr} = await tool(temp.path, line)
    assert.equal(code, 0, stderr)
    return stdout
  }
  const list = async () =>
    (JSON.parse(await done('ppc', 'token', 'list', file, '--json')) as {tokens: {owner: string}[]}).tokens

  before(async () => {
    temp = await tempDir()
    port = await freePort()
    file = temp.join('server.ini')
    await makeOriginalConfig('-t', file)
    await editConfig(file, port, {'pypi.auth': 'sql', 'auth.db.url': 'sqlite:///%(here)s/access.sqlite'})
    const {sha256_crypt: hash} = await originalHashes(['sha256_crypt'], password)
    const users = ['root', 'ci', 'bob'].map(username => ({
      username,
      password: hash,
      admin: username === 'root',
    }))
    const dump = {users, groups: {}, packages: {users: {}, groups: {}}, allow_register: true}
    const imported = await runOriginal('ppc-import', [file], {cwd: temp.path, input: JSON.stringify(dump)})
    assert.equal(imported.code, 0, imported.stderr)
    token = (await done('ppc', 'token', 'create', file, 'ci')).trim()
    await done('ppc', 'token', 'create', file, 'bob')
  })
  after(() => temp[Symbol.asyncDispose]())

  it('a dump with tokens is read by pypicloud, and one of pypicloud here', async () => {
    const dump = await done('ppc-export', file)
    assert.match(dump, /"ppc_tokens"/)
    const there = await runOriginal('ppc-import', [file], {cwd: temp.path, input: dump})
    assert.equal(there.code, 0, there.stderr)
    const theirs = await runOriginal('ppc-export', [file], {cwd: temp.path})
    assert.equal(theirs.code, 0, theirs.stderr)
    assert.doesNotMatch(theirs.stdout, /ppc_tokens/)
    const back = await tool(temp.path, ['ppc-import', file], {input: theirs.stdout})
    assert.equal(back.code, 0, back.stderr)
    assert.equal((await list()).length, 2)
  })
  it('users whom pypicloud deletes leave no tokens to the next ones of their names', async () => {
    {
      await using original = await startOriginal(file, port)
      const ask = async (method: string, body?: object) => {
        const answer = await fetch(`${original.url}/admin/user/ci`, {
          ...{method, headers: {...basic, 'content-type': 'application/json'}},
          ...(body && {body: JSON.stringify(body)}),
        })
        assert.equal(answer.status, 200, await answer.text())
      }
      await ask('DELETE')
      await ask('PUT', {password})
    }
    assert.deepEqual(
      (await list()).map(({owner}) => owner),
      ['bob'],
    )
    await using ours = await startServer(file, await freePort())
    const answer = await fetch(`${ours.url}/api/token`, {headers: {authorization: `Bearer ${token}`}})
    assert.equal(answer.status, 401)
  })
})
