import assert from 'node:assert/strict'
import {chown, mkdir, readFile, stat, writeFile} from 'node:fs/promises'
import {describe, it} from 'node:test'
import {needs} from '../support/needs.js'
import {tempDir} from '../support/temp.js'
import {sqlConfig, tool} from './tool.js'

type Line = Record<string, unknown>
const linesOf = async (file: string): Promise<Line[]> =>
  (await readFile(file, 'utf8'))
    .trim()
    .split('\n')
    .map(line => JSON.parse(line) as Line)

describe('the audit log', () => {
  it('says who changed what from the shell, also what was refused, and no password', async () => {
    await using dir = await tempDir()
    await writeFile(dir.join('server.ini'), `${sqlConfig('a')}audit.file = audit.log\n`)
    const run = (line: string, input?: string) => tool(dir.path, line, input === undefined ? {} : {input})
    const created = await run('ppc user create --admin --password-stdin server.ini ann', 'secret word\n')
    assert.equal(created.code, 0, created.stderr)
    assert.equal((await run('ppc group create server.ini devs')).code, 0)
    assert.notEqual((await run('ppc group create server.ini devs')).code, 0)
    assert.equal((await run('ppc permission grant server.ini lib rw --group devs')).code, 0)
    assert.equal((await run('ppc user list server.ini')).code, 0)
    assert.equal((await run('ppc-rebuild-cache server.ini --dry-run')).code, 0)
    assert.equal((await run('ppc-rebuild-cache server.ini --full')).code, 0)
    const lines = await linesOf(dir.join('audit.log'))
    assert.deepEqual(
      lines.map(({action, result}) => `${String(action)} ${String(result)}`),
      [
        'user.create done',
        'group.create done',
        'group.create refused',
        'permission.grant done',
        'cache.rebuild done',
      ],
    )
    const [user, , , grant, rebuild] = lines
    assert.equal(user?.['name'], 'ann')
    assert.match(String(user['shell']), /./)
    assert.equal(user['command'], 'ppc user create')
    assert.deepEqual([grant?.['project'], grant?.['options']], ['lib', {group: 'devs'}])
    assert.equal(rebuild?.['command'], 'ppc-rebuild-cache')
    assert.ok(!JSON.stringify(lines).includes('secret word'))
  })

  it('that is made from the shell by root is left to whom the folder belongs', needs('root'), async () => {
    await using dir = await tempDir()
    await mkdir(dir.join('log'))
    await chown(dir.join('log'), 1234, 1234)
    await writeFile(dir.join('server.ini'), `${sqlConfig('a')}audit.file = log/audit.log\n`)
    assert.equal((await tool(dir.path, 'ppc group create server.ini devs')).code, 0)
    assert.equal((await stat(dir.join('log/audit.log'))).uid, 1234)
  })

  it('that can not be written is told, and the change made all the same', async () => {
    await using dir = await tempDir()
    await writeFile(dir.join('server.ini'), `${sqlConfig('a')}audit.file = nowhere/audit.log\n`)
    const done = await tool(dir.path, 'ppc group create server.ini devs')
    assert.equal(done.code, 0)
    assert.match(done.stderr, /audit\.file: .*nowhere/)
  })
})
