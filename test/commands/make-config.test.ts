import assert from 'node:assert/strict'
import {chmod, readFile, readdir, stat, writeFile} from 'node:fs/promises'
import {describe, it} from 'node:test'
import {verifyPassword} from '../../src/lib/access/passwords/index.js'
import {readConfig} from '../../src/lib/config/config.js'
import {tempDir} from '../support/temp.js'
import {tool} from './tool.js'

const input = 'config-pass-1\n'
const answers = '--storage filesystem --admin ada --password-stdin'

describe('ppc-make-config without a terminal', () => {
  for (const kind of ['-d', '-t', '-p', '-r']) {
    it(`writes with ${kind} a private config that is read without a warning`, async () => {
      await using dir = await tempDir()
      const {code, stdout, stderr} = await tool(dir.path, `ppc-make-config ${kind} ${answers} server.ini`, {
        input,
      })
      assert.equal(code, 0)
      assert.equal(stdout, '')
      assert.equal(stderr, "Config file written to 'server.ini'\n")
      assert.equal((await stat(dir.join('server.ini'))).mode & 0o777, 0o600)
      const config = await readConfig(dir.join('server.ini'), {environment: {}})
      assert.deepEqual(
        config.warnings.filter(({key}) => key !== undefined),
        [],
      )
      assert.equal(config.core.storage, 'file')
      const [user] = config.family('user.')
      assert.equal(user?.key, 'user.ada')
      assert.equal(await verifyPassword('config-pass-1', user.value), true)
    })
  }
  it('prints the config without a file name, and nothing else on stdout', async () => {
    await using dir = await tempDir()
    const {stdout, stderr} = await tool(dir.path, `ppc-make-config -t ${answers}`, {input})
    assert.equal(stderr, '')
    assert.match(stdout, /^\[app:main\]\n/)
    assert.deepEqual(await readdir(dir.path), [])
  })
  it('takes the keys of S3 from the environment, and asks for a region where the bucket has a dot', async () => {
    await using dir = await tempDir()
    const env = {AWS_ACCESS_KEY_ID: 'AKIAENV', AWS_SECRET_ACCESS_KEY: 'env%secret'}
    const line = 'ppc-make-config -t --storage s3 --bucket my.bucket --admin ada --password-stdin server.ini'
    const refused = await tool(dir.path, line, {input, env})
    assert.equal(refused.code, 2)
    assert.equal(refused.stderr, 'ppc-make-config: there is no terminal to ask on: give --region\n')
    const {code} = await tool(dir.path, `${line} --region eu-central-1`, {input, env})
    assert.equal(code, 0)
    const config = await readConfig(dir.join('server.ini'), {environment: {}})
    assert.equal(config.settings.get('storage.aws_secret_access_key')?.value, 'env%secret')
    assert.equal(config.settings.get('storage.region_name')?.value, 'eu-central-1')
  })
  it('names everything that is missing in one sentence', async () => {
    await using dir = await tempDir()
    const {code, stderr} = await tool(dir.path, 'ppc-make-config --storage gcs server.ini')
    assert.equal(code, 2)
    assert.match(
      stderr,
      /^ppc-make-config: [^\n]*--prod[^\n]*--bucket[^\n]*--admin[^\n]*--password-stdin[^\n]*\n$/,
    )
    assert.deepEqual(await readdir(dir.path), [])
  })
  it('refuses answers that a terminal would refuse', async () => {
    await using dir = await tempDir()
    for (const [option, value, message] of [
      ['--bucket', '.a', "cannot start with '.'"],
      ['--bucket', 'b.', "cannot end with '.'"],
      ['--bucket', 'c..d', "cannot contain '..'"],
      ['--admin', 'a:b', 'colon'],
    ] as const) {
      const {code, stderr} = await tool(dir.path, `ppc-make-config -t --storage gcs ${option} ${value}`)
      assert.equal(code, 2)
      assert.ok(stderr.includes(message), stderr)
    }
    assert.equal((await tool(dir.path, 'ppc-make-config -d -p')).code, 2)
  })
  it('overwrites nothing without --force', async () => {
    await using dir = await tempDir()
    await writeFile(dir.join('server.ini'), 'old')
    await chmod(dir.join('server.ini'), 0o644)
    const line = `ppc-make-config -t ${answers} server.ini`
    const {code, stderr} = await tool(dir.path, line, {input})
    assert.equal(code, 2)
    assert.match(stderr, /exists already.*--force/s)
    assert.equal(await readFile(dir.join('server.ini'), 'utf8'), 'old')
    assert.equal((await tool(dir.path, `${line} --force`, {input})).code, 0)
    assert.equal((await stat(dir.join('server.ini'))).mode & 0o777, 0o600)
    assert.deepEqual(await readdir(dir.path), ['server.ini'])
  })
  it('says where it can not write, and leaves nothing behind', async () => {
    await using dir = await tempDir()
    const {code, stderr} = await tool(dir.path, `ppc-make-config -t ${answers} nowhere/server.ini`, {input})
    assert.equal(code, 1)
    assert.match(stderr, /^ppc-make-config: can't open .*nowhere.*: no such file or directory\n$/)
  })
})
