import assert from 'node:assert/strict'
import {mkdir, readFile, symlink, writeFile} from 'node:fs/promises'
import {describe, it} from 'node:test'
import {repoRoot} from '../support/paths.js'
import {runProgram} from '../support/run.js'
import {tempDir} from '../support/temp.js'
import {sqlConfig, tool} from './tool.js'

/** What an operator writes: our backend with a name of its own, and a file that tells what it was asked for. */
const wrapping = (registry: string, backend: string) => `
import {appendFileSync} from 'node:fs'
import {join} from 'node:path'
import {${registry}} from 'ppc-toolkit'

export async function open(config) {
  const openOurs = await ${registry}.find(({name}) => name === '${backend}').load()
  const ours = await openOurs(config)
  return new Proxy(ours, {
    get(target, key) {
      if (key === 'name') return 'my own ' + target.name
      const value = Reflect.get(target, key, target)
      if (typeof value !== 'function') return value
      appendFileSync(join(config.directory, '${registry}.log'), String(key) + '\\n')
      return value.bind(target)
    },
  })
}
`

/** The suites of the contracts, as the author of such a module runs them. */
const suites = `
import {mkdtemp, readFile, writeFile} from 'node:fs/promises'
import {join} from 'node:path'
import {readConfig} from 'ppc-toolkit'
import {describeAccess, describeAccessWriter, describeCache, describeObjectStore} from 'ppc-toolkit/contracts'
import {open as openAccess} from './own/access.mjs'
import {open as openCache} from './own/cache.mjs'
import {open as openStorage} from './own/storage.mjs'

const text = await readFile('server.ini', 'utf8')
async function freshConfig() {
  const file = join(await mkdtemp('fresh-'), 'server.ini')
  await writeFile(file, text)
  return readConfig(file, {environment: {}})
}
const config = await freshConfig()
describeObjectStore('my storage', () => openStorage(config))
describeCache('my cache', () => openCache(config))
describeAccess('my access', async entries => {
  const access = await openAccess(await freshConfig())
  await access.writer.load((async function* () { yield* entries })())
  return access
})
describeAccessWriter('my access', async () => {
  const config = await freshConfig()
  return () => openAccess(config)
})
`

/** A folder in which ppc-toolkit is installed, with a config that names three modules of its own. */
async function project() {
  const dir = await tempDir()
  await mkdir(dir.join('node_modules'))
  await mkdir(dir.join('own'))
  await symlink(repoRoot, dir.join('node_modules/ppc-toolkit'))
  await writeFile(dir.join('own/storage.mjs'), wrapping('storages', 'file'))
  await writeFile(dir.join('own/cache.mjs'), wrapping('caches', 'sql'))
  await writeFile(dir.join('own/access.mjs'), wrapping('accesses', 'sql'))
  await writeFile(
    dir.join('server.ini'),
    sqlConfig('own')
      .replace('pypi.storage = file', 'pypi.storage = ./own/storage.mjs')
      .replace('pypi.db = sql', 'pypi.db = ./own/cache.mjs')
      .replace('pypi.auth = sql', 'pypi.auth = ./own/access.mjs'),
  )
  return dir
}

describe("Storage, cache and access of the operator's own", () => {
  it('are loaded by the commands and do their work', async () => {
    await using dir = await project()
    const added = await tool(dir.path, 'ppc user create --generate server.ini bob')
    assert.equal(added.code, 0, added.stderr)
    const exported = await tool(dir.path, 'ppc-export server.ini')
    assert.match(exported.stdout, /"username": "bob"/)
    await mkdir(dir.join('own-packages/thing/1.0'), {recursive: true})
    await writeFile(dir.join('own-packages/thing/1.0/thing-1.0.tar.gz'), 'bytes')
    const rebuilt = await tool(dir.path, 'ppc-rebuild-cache server.ini --json')
    assert.equal((JSON.parse(rebuilt.stdout) as {added: number}).added, 1, rebuilt.stderr)
    for (const [log, asked] of [
      ['storages.log', 'list'],
      ['caches.log', 'acquireLock'],
      ['accesses.log', 'exportEntries'],
    ] as const) {
      assert.ok((await readFile(dir.join(log), 'utf8')).split('\n').includes(asked))
    }
  })
  it('pass the suites of the contracts that the package exports', async () => {
    await using dir = await project()
    await writeFile(dir.join('suites.test.mjs'), suites)
    const args = ['--test', '--test-reporter=tap', 'suites.test.mjs']
    const {code, stdout} = await runProgram(process.execPath, args, {cwd: dir.path, timeoutSeconds: 240})
    assert.equal(code, 0, stdout.slice(-4000))
    assert.match(stdout, /^# pass [1-9]\d\d?$/m)
  })
  it('are refused in one sentence when there is no such module, or it has no open()', async () => {
    await using dir = await project()
    await writeFile(dir.join('own/access.mjs'), 'export const nothing = 1\n')
    const empty = await tool(dir.path, 'ppc-export server.ini')
    assert.equal(empty.code, 2)
    assert.match(empty.stderr, /^ppc-export: [^\n]*own\/access\.mjs" has no function open\(config\)\n$/)
    const ini = await readFile(dir.join('server.ini'), 'utf8')
    await writeFile(dir.join('server.ini'), ini.replace('./own/access.mjs', './own/axcess.mjs'))
    const missing = await tool(dir.path, 'ppc-export server.ini')
    assert.equal(missing.code, 2)
    assert.match(missing.stderr, /pypi\.auth: found "\.\/own\/axcess\.mjs", expected one of config, sql/)
  })
})
