import assert from 'node:assert/strict'
import {describe, it} from 'node:test'
import {passwordSchemes, verifyPassword} from '../../src/lib/access/passwords/index.js'
import {tempDir} from '../support/temp.js'
import {tool} from './tool.js'

describe('ppc-gen-password', () => {
  for (const scheme of passwordSchemes) {
    it(`hashes the first line of stdin, without its line end, as ${scheme}`, async () => {
      await using dir = await tempDir()
      const {code, stdout, stderr} = await tool(dir.path, `ppc-gen-password -i -s ${scheme}`, {
        input: 'pä ss\n',
      })
      assert.equal(code, 0)
      assert.equal(stderr, '')
      assert.match(stdout, /^\$[^\n]+\n$/)
      assert.equal(await verifyPassword('pä ss', stdout.trim()), true)
    })
  }
  it('takes rounds, and raises those that are too few', async () => {
    await using dir = await tempDir()
    const input = 'x'
    assert.match((await tool(dir.path, 'ppc-gen-password -i -r 7000', {input})).stdout, /^\$6\$rounds=7000\$/)
    assert.match((await tool(dir.path, 'ppc-gen-password -i -r 1', {input})).stdout, /^\$6\$rounds=1000\$/)
  })
  it('has the name of pypicloud too', async () => {
    await using dir = await tempDir()
    const {stdout} = await tool(dir.path, 'pypicloud-gen-password -i', {input: 'pw\r\n'})
    assert.equal(await verifyPassword('pw', stdout.trim()), true)
  })
  it('refuses nothing at all, unknown schemes, and to wait for a terminal that is not there', async () => {
    await using dir = await tempDir()
    const empty = await tool(dir.path, 'ppc-gen-password -i', {input: '\n'})
    assert.equal(empty.code, 2)
    assert.equal(empty.stderr, 'ppc-gen-password: the secret from stdin is empty\n')
    const scheme = await tool(dir.path, 'ppc-gen-password -i -s md5', {input: 'x'})
    assert.equal(scheme.code, 2)
    assert.match(scheme.stderr, /sha512_crypt.*argon2/)
    const nobody = await tool(dir.path, 'ppc-gen-password')
    assert.equal(nobody.code, 2)
    assert.match(nobody.stderr, /no terminal.*--stdin/)
  })
})
