import assert from 'node:assert/strict'
import {readFile, readdir, stat, writeFile} from 'node:fs/promises'
import {describe, it} from 'node:test'
import {verifyPassword} from '../../src/lib/access/passwords/index.js'
import {readConfig} from '../../src/lib/config/config.js'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {onTerminal, type Step} from './on-terminal.js'
import {sqlConfig, tool} from './tool.js'

const password: Step[] = [
  ['Password:', 'config-pass-1\r'],
  ['Password:', 'config-pass-1\r'],
]

describe('ppc-make-config on a terminal', needs('python3'), () => {
  it('asks what pypicloud asks, in its order, and takes its numbers', async () => {
    await using dir = await tempDir()
    const {screen, code} = await onTerminal(dir.path, 'ppc-make-config server.ini', [
      ['What is this config file for?', '9\r'],
      ['option', '\u007f3\r'],
      ['Where do you want to store your packages?', '1\r'],
      ['AWS access key id?', 'AKIATEST\r'],
      ['AWS secret access key?', 'test/Secret+Key\r'],
      ['S3 bucket name?', 'my.bucket\r'],
      ['S3 bucket region?', 'eu-central-1\r'],
      ['Admin username?', 'configadmin\r'],
      ...password,
    ])
    assert.equal(code, 0, screen)
    assert.match(screen, /1\) dev\s+2\) test\s+3\) prod/)
    assert.match(screen, /1\) s3\s+2\) gcs\s+3\) filesystem\s+4\) azure-blob/)
    assert.match(screen, /Config file written to 'server\.ini'/)
    assert.doesNotMatch(screen, /config-pass-1/)
    assert.equal((await stat(dir.join('server.ini'))).mode & 0o777, 0o600)
    const config = await readConfig(dir.join('server.ini'), {environment: {}})
    assert.deepEqual(config.core.defaultRead, ['authenticated'])
    assert.equal(config.settings.get('storage.region_name')?.value, 'eu-central-1')
    assert.equal(await verifyPassword('config-pass-1', config.family('user.')[0]!.value), true)
  })
  it('says what is wrong while a name is typed, and keeps it to be corrected', async () => {
    await using dir = await tempDir()
    const {screen, code} = await onTerminal(dir.path, 'ppc-make-config -t server.ini', [
      ['Where do you want', '2\r'],
      ['GCS bucket name?', 'c..d'],
      ["Bucket names cannot contain '..'", '\r'], // Enter changes nothing
      ['', '\u007f\u007fd\r'],
      ['Admin username?', '\r'],
      ['Type an answer', 'ada\r'],
      ...password,
    ])
    assert.equal(code, 0, screen)
    assert.match(await readFile(dir.join('server.ini'), 'utf8'), /^storage\.bucket = c\.d$/m)
  })
  it('asks for both passwords again when they differ', async () => {
    await using dir = await tempDir()
    const {screen, code} = await onTerminal(
      dir.path,
      'ppc-make-config -t --storage file --admin ada server.ini',
      [['Password:', 'one\r'], ['Password:', 'two\r'], ['Passwords do not match!', ''], ...password],
    )
    assert.equal(code, 0, screen)
    const config = await readConfig(dir.join('server.ini'), {environment: {}})
    assert.equal(await verifyPassword('config-pass-1', config.family('user.')[0]!.value), true)
  })
  it('asks before it overwrites, and Enter means no', async () => {
    await using dir = await tempDir()
    await writeFile(dir.join('server.ini'), 'old')
    const line = 'ppc-make-config -t --storage file --admin ada server.ini'
    const no = await onTerminal(dir.path, line, [["'server.ini' already exists. Overwrite?", '\r']])
    assert.equal(no.code, 0)
    assert.equal(await readFile(dir.join('server.ini'), 'utf8'), 'old')
    const yes = await onTerminal(dir.path, line, [['Overwrite?', 'y\r'], ...password])
    assert.equal(yes.code, 0)
    assert.match(await readFile(dir.join('server.ini'), 'utf8'), /user\.ada/)
  })
  it('ends with 130 at Ctrl-C, and leaves nothing behind', async () => {
    await using dir = await tempDir()
    const {screen, code} = await onTerminal(dir.path, 'ppc-make-config -t server.ini', [
      ['Where do you want', '3\r'],
      ['Admin username?', 'ad\u0003'],
    ])
    assert.equal(code, 130)
    assert.match(screen, /ppc-make-config: interrupted/)
    assert.doesNotMatch(screen, /^ +at /m)
    assert.deepEqual(await readdir(dir.path), [])
  })
})

describe('ppc-gen-password on a terminal', needs('python3'), () => {
  it('keeps its questions away from stdout', async () => {
    await using dir = await tempDir()
    const {screen, code} = await onTerminal(dir.path, 'ppc-gen-password', password, {stdout: dir.join('out')})
    assert.equal(code, 0, screen)
    const hash = await readFile(dir.join('out'), 'utf8')
    assert.match(hash, /^\$6\$[^\n]+\n$/)
    assert.equal(await verifyPassword('config-pass-1', hash.trim()), true)
  })
})

describe('ppc user create on a terminal', needs('python3'), () => {
  it('asks for the password twice, but not for one that could not be stored', async () => {
    await using dir = await tempDir()
    await writeFile(dir.join('server.ini'), sqlConfig('a'))
    const line = 'ppc user create --admin server.ini ada'
    const made = await onTerminal(dir.path, line, password)
    assert.equal(made.code, 0, made.screen)
    assert.match(made.screen, /Created the administrator ada\./)
    const again = await onTerminal(dir.path, line, [])
    assert.equal(again.code, 1)
    assert.match(again.screen, /there is a user "ada" already/)
  })
})

describe('Progress', needs('python3'), () => {
  it('is drawn on a terminal and nowhere else', async () => {
    await using dir = await tempDir()
    await writeFile(dir.join('server.ini'), sqlConfig('a'))
    const shown = await onTerminal(dir.path, 'ppc-rebuild-cache server.ini', [])
    assert.match(shown.screen, /Rebuilding:/)
    assert.match(shown.screen, /The cache is complete/)
    const unsized = await onTerminal(dir.path, 'ppc-rebuild-cache server.ini', [], {size: [0, 0]})
    assert.match(unsized.screen, /The cache is complete/)
    const piped = await tool(dir.path, 'ppc-rebuild-cache server.ini')
    assert.doesNotMatch(piped.stderr, /Rebuilding/)
  })
})
