import assert from 'node:assert/strict'
import {writeFile} from 'node:fs/promises'
import {describe, it} from 'node:test'
import {readConfig} from '../../src/lib/config/config.js'
import {configWith, tempDir} from '../support/temp.js'

const base = {'storage.dir': '/p', 'db.url': 'sqlite://'}
async function serverOf(extra: string, settings: Record<string, string> = {}) {
  await using dir = await tempDir()
  const {server, warnings} = await configWith(dir.path, {...base, ...settings}, extra)
  return {server, directory: dir.path, warnings: warnings.map(({message}) => message)}
}

describe('the server', () => {
  it('listens where [server:main] says, else on loopback', async () => {
    assert.deepEqual(await serverOf('').then(({server}) => [server.host, server.port, server.workers]), [
      '127.0.0.1',
      6543,
      1,
    ])
    for (const [section, expected] of [
      ['use = egg:waitress#main\nhost = 10.0.0.1\nport = 99', ['10.0.0.1', 99, 1]],
      ['use = egg:waitress#main\nlisten = [::1]:8081 127.0.0.1:8081', ['::1', 8081, 1]],
      ['use = egg:gunicorn#main\nbind = :5000\nworkers = 4', ['0.0.0.0', 5000, 4]],
      ['use = egg:waitress#main', ['0.0.0.0', 8080, 1]],
    ] as const) {
      const {server} = await serverOf(`[server:main]\n${section}\n`)
      assert.deepEqual([server.host, server.port, server.workers], expected)
    }
  })

  it('takes address and processes from [uwsgi]', async () => {
    const {server, warnings} = await serverOf(
      '[uwsgi]\npaste = config:%p\nhttp = :8080\nprocesses = 20\nuid = nobody\n',
    )
    assert.deepEqual([server.host, server.port, server.workers], ['0.0.0.0', 8080, 20])
    assert.deepEqual(warnings, ['for the server, not honoured: [uwsgi] uid'])
  })

  it('refuses a port that is none', async () => {
    await assert.rejects(
      serverOf('[server:main]\nport = http\n'),
      /port: found "http", expected a whole number/,
    )
  })

  it('keeps to the default where a value waits for an argument of pserve', async () => {
    const {server, warnings} = await serverOf('[server:main]\nhost = 10.0.0.1\nport = %(http_port)s\n')
    assert.deepEqual([server.host, server.port], ['10.0.0.1', 8080])
    assert.match(warnings.join(), /^%\(http_port\)s is neither .*; ignored$/)
  })

  it('knows the proxy prefix by filter-with and by pipeline', async () => {
    const filter = '[filter:p]\nuse = egg:PasteDeploy#prefix\nprefix = /pypi/\nscheme = https\nforce_port =\n'
    const expected = {prefix: '/pypi', scheme: 'https', forcePort: '', translateForwardedServer: true}
    assert.deepEqual((await serverOf(filter, {'filter-with': 'p'})).server.prefixFilter, expected)
    await using dir = await tempDir()
    const inner = '[app:inner]\nuse = egg:pypicloud\nstorage.dir = /p\ndb.url = sqlite://\n'
    await writeFile(dir.join('p.ini'), `[pipeline:main]\npipeline = p inner\n${inner}${filter}`)
    assert.deepEqual((await readConfig(dir.join('p.ini'), {environment: {}})).server.prefixFilter, expected)
    await writeFile(
      dir.join('c.ini'),
      `[composite:main]\nuse = egg:Paste#urlmap\n/ = other\n/pypi/ = inner\n[app:other]\nuse = egg:x\n${inner}`,
    )
    assert.equal((await readConfig(dir.join('c.ini'), {environment: {}})).server.mountPath, '/pypi')
  })

  it('logs at the level and into the file of the root logger', async () => {
    const {server, directory} = await serverOf(
      "[logger_root]\nlevel = WARN\nhandlers = file\n[handler_file]\nclass = FileHandler\nargs = ('%(here)s/x.log', 'a')\n",
    )
    assert.equal(server.logLevel, 'warn')
    assert.equal(server.logFile, `${directory}/x.log`)
  })
})
